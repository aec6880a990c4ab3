#!/bin/sh
# The programs of Debian's that the clients' tests drive and no Python package brings: Chromium and wget.
# Installs what is missing where root and apt are; else says what will be skipped. Never fails: the tests say the same again.
missing=
for program in chromium wget; do
    command -v "$program" >/dev/null 2>&1 || missing="$missing $program"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "skipped: the tests that need$missing: they are not installed, and apt needs root to do it. On Debian: apt-get install$missing" >&2
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive
if ! { apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing; } >/dev/null; then
    echo "skipped: the tests that need$missing: apt could not install them, see above" >&2
fi
