#!/bin/sh
# debian.sh WHAT PROGRAM[=PACKAGE]...: programs of Debian's that WHAT, a part of the tests, runs and no Python package brings.
# Installs what is missing where root and apt are; else says what will be skipped. Never fails: the tests say the same again.
what=$1
shift
PATH=$PATH:/usr/sbin
missing=
for program in "$@"; do
    command -v "${program%%=*}" >/dev/null 2>&1 || missing="$missing ${program#*=}"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "skipped: $what:$missing not installed, and apt needs root to do it. On Debian: apt-get install$missing" >&2
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 # no service is started
exec 9>"${TMPDIR:-/tmp}/reelhaul-apt.lock"
flock 9 # apt does not wait for another one, as of targets that are made side by side
if ! { apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing; } >/dev/null; then
    echo "skipped: $what: apt could not install$missing, see above" >&2
fi
