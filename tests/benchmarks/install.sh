#!/bin/sh
# nginx of Debian's, which is the source that the benchmarks fetch from. Only its program is wanted: no service is started.
# Installs it where root and apt are; else says what will be skipped. Never fails.
command -v nginx >/dev/null 2>&1 || [ -x /usr/sbin/nginx ] && exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "skipped: all that is fetched from nginx, which is not installed, and apt needs root to do it. On Debian: apt-get install nginx-light" >&2
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
apt-get update -qq >/dev/null && apt-get install -y -qq --no-install-recommends nginx-light >/dev/null \
    || echo "skipped: all that is fetched from nginx, which apt could not install, see above" >&2
