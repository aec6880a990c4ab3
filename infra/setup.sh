#!/bin/sh
# setup.sh DIRECTORY REQUIREMENTS: a virtual environment that holds exactly the hashed requirements.
set -eu
directory=$1 requirements=$2
python=${PYTHON:-python3}

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "Reelhaul needs Python 3.11 or newer; $python is $("$python" --version). Name another: make PYTHON=python3.12 ..." >&2
    exit 1
}
# One that was moved here from elsewhere, or whose Python is gone, is made anew.
if ! "$directory/bin/python" -c 'import sys; sys.exit(sys.prefix != sys.argv[1])' "$PWD/$directory" 2>/dev/null; then
    rm -rf "$directory"
    # Debian ships venv's pip apart (python3-venv). Without it a pip of the system's does as well.
    "$python" -m venv --without-pip "$directory"
fi
# uv installs the rest several times faster than pip. It is pinned with the others in the requirements of infra.
if ! "$directory/bin/uv" --version >/dev/null 2>&1; then
    awk '/^uv==/ { on = 1 } on { print } on && !/\\$/ { exit }' "$(dirname "$0")/requirements.txt" > "$directory/uv.txt"
    if "$python" -m pip --version >/dev/null 2>&1; then
        pip="$python -m pip --python $directory/bin/python"
    elif "$directory/bin/python" -m ensurepip >/dev/null 2>&1; then
        pip="$directory/bin/python -m pip"
    else
        echo "This Python has no pip. On Debian or Ubuntu: apt install python3-venv" >&2
        exit 1
    fi
    $pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement "$directory/uv.txt"
fi
"$directory/bin/uv" pip sync --quiet --python "$directory/bin/python" --require-hashes "$requirements"
# A fetcher may write nowhere but to its job's directory (Landlock), so it would compile all of yt-dlp for every job.
for package in "$directory"/lib/python3*/site-packages/yt_dlp; do
    if [ -d "$package" ]; then "$directory/bin/python" -m compileall -q -j 0 "$package"; fi
done
