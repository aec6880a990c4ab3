#!/bin/sh
# setup.sh DIRECTORY REQUIREMENTS: a virtual environment that holds exactly the hashed requirements.
set -eu
directory=$1 requirements=$2
python=${PYTHON:-python3}

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "Reelhaul needs Python 3.11 or newer; $python is $("$python" --version). Name another: make PYTHON=python3.12 ..." >&2
    exit 1
}
rm -rf "$directory"
# Debian ships venv's pip apart (python3-venv). Without it a pip of the system's does as well.
if ! "$python" -m venv "$directory" 2>/dev/null; then
    rm -rf "$directory"
    "$python" -m venv --without-pip "$directory"
    "$python" -m pip --version >/dev/null 2>&1 || {
        echo "This Python has no pip. On Debian or Ubuntu: apt install python3-venv" >&2
        exit 1
    }
    "$python" -m pip --python "$directory/bin/python" install --quiet pip
fi
# uv installs the rest several times faster than pip. Its own pin is in one of the two files that name it.
uv=$(dirname "$0")/requirements.txt
awk '/^uv==/ { on = 1 } on { print } on && !/\\$/ { exit }' "$uv" > "$directory/uv.txt"
"$directory/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement "$directory/uv.txt"
"$directory/bin/uv" pip sync --quiet --python "$directory/bin/python" --require-hashes "$requirements"
