#!/bin/sh
# The programs of Debian's that build and run containers without a daemon, and the one that makes the base image.
# Installs what is missing where root and apt are; else says what will be skipped. Never fails: the tests say the same again.
missing=
for program in buildah podman runc debootstrap; do
    command -v "$program" >/dev/null 2>&1 || missing="$missing $program"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "skipped: the tests in a container: $(echo $missing) not installed, and apt needs root to do it. On Debian: apt-get install$missing" >&2
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive
if ! { apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing; } >/dev/null; then
    echo "skipped: the tests in a container: apt could not install$missing, see above" >&2
fi
