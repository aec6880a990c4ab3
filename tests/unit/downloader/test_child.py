"""The fetcher's process is not trusted: what it gets, what it says, and that nothing of it is left."""

import subprocess
import sys
from pathlib import Path

import pytest

from downloader import child
from reelhaul import errors
from reelhaul.errors import WorkerCrashed
from tests.unit.downloader.fetching import Fetching, processes_in, write_impostor

FUNCTIONS = Path(child.__file__).parents[1]


def _finished(path: str, **changes: str) -> str:
    fields = {
        "path": f'"{path}"',
        "title": '"x"',
        "extension": '"mp4"',
        "content_type": '"video/mp4"',
        "format_note": '""',
        **changes,
    }
    return '{"event": "finished", ' + ", ".join(f'"{name}": {value}' for name, value in fields.items()) + "}"


@pytest.mark.parametrize(
    "body",
    [
        "exit 0",
        "exit 1",
        "kill -9 $$",
        "echo nonsense",
        "echo '[1]'",
        "head -c 200000 /dev/zero",
        f"echo '{_finished('/etc/passwd')}'",
        f"echo '{_finished('missing.mp4')}'",
        f"ln -s /etc/passwd media.mp4; echo '{_finished('DIRECTORY/media.mp4')}'",
        f"mkdir media.mp4; echo '{_finished('DIRECTORY/media.mp4')}'",
        f"touch a.mp4; echo '{_finished('DIRECTORY/../job/a.mp4')}'",
        f"touch a.mp4; echo '{_finished('DIRECTORY/a.mp4', content_type=chr(34) + 'text/html' + chr(34))}'",
        f"touch a.mp4; echo '{_finished('DIRECTORY/a.mp4', title='7')}'",
    ],
)
def test_child_that_lies_or_dies_is_a_crash(fetching: Fetching, impostor: Path, body: str) -> None:
    write_impostor(impostor, body.replace("DIRECTORY", str(fetching.directory)))
    with pytest.raises(WorkerCrashed):
        fetching("clip.mp4")


def test_childs_words_are_not_repeated_as_they_are(fetching: Fetching, impostor: Path) -> None:
    line = _finished(f"{fetching.directory}/a.mp4", title=r'"a\u202egpj\u0007 b"', thumbnail='"javascript:alert(1)"')
    write_impostor(impostor, f"touch a.mp4\ncat <<'END'\n{line}\nEND\n")
    media = fetching("clip.mp4").media
    assert media.title == "a gpj b"
    assert media.thumbnail is None


def test_nothing_secret_is_in_the_childs_environment(
    fetching: Fetching, impostor: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.setenv(name, "secret")
    write_impostor(impostor, "env > environment")
    with pytest.raises(WorkerCrashed):
        fetching("clip.mp4")
    names = {line.partition("=")[0] for line in (fetching.directory / "environment").read_text().splitlines()}
    assert names - {"PWD", "SHLVL", "_", "OLDPWD"} == set(child.environment(fetching.directory))
    assert not [name for name in names if name.startswith(("AWS", "LAMBDA")) or name.upper().endswith("PROXY")]


def test_grandchild_does_not_survive(fetching: Fetching, impostor: Path) -> None:
    write_impostor(impostor, "trap '' TERM\nsleep 60 < /dev/null > /dev/null 2>&1 &\nexit 1\n")
    with pytest.raises(WorkerCrashed):
        fetching("clip.mp4")
    assert processes_in(fetching.directory) == []


_DAEMONS = """
    cat > ../daemon <<'END'
    cd /
    trap '' TERM HUP
    echo $$ >> {numbers}
    [ "$1" = "" ] || setsid sh {numbers}.sh &
    while true; do sleep 1; done
    END
    mv ../daemon {numbers}.sh
    (setsid sh {numbers}.sh and-another > /dev/null 2>&1 < /dev/null &)
    (setsid sh {numbers}.sh > /dev/null 2>&1 < /dev/null &)
    while [ "$(cat {numbers} 2> /dev/null | wc -l)" != 3 ]; do sleep 0.05; done
    exit 1
"""


@pytest.mark.skipif(sys.platform != "linux", reason="orphans are adopted on Linux only")
def test_descendants_that_left_the_group_and_the_directory_do_not_survive(fetching: Fetching, impostor: Path) -> None:
    """Daemons by the book: a session of their own, no parent that lives, and `/` to work in."""
    numbers = fetching.directory / "numbers"
    write_impostor(impostor, _DAEMONS.format(numbers=numbers))
    with pytest.raises(WorkerCrashed):
        fetching("clip.mp4")
    started = numbers.read_text().split()
    assert len(started) == 3
    assert not [number for number in started if Path(f"/proc/{number}").exists()]


def test_stubborn_child_is_killed(fetching: Fetching, impostor: Path) -> None:
    write_impostor(impostor, "trap '' TERM\nwhile true; do sleep 60; done\n")
    with pytest.raises(errors.SourceTooSlow):
        fetching("clip.mp4", seconds=1)
    assert processes_in(fetching.directory) == []


def test_last_words_of_a_dead_child_are_logged(fetching: Fetching, impostor: Path) -> None:
    write_impostor(impostor, "head -c 100000 /dev/zero | tr '\\0' x >&2; echo the end >&2; kill -9 $$")
    with pytest.raises(WorkerCrashed):
        fetching("clip.mp4")
    ((event, fields),) = fetching.logged
    assert event == "fetcher_died"
    assert fields["exit_status"] == -9
    assert fields["stderr"].endswith("the end")
    assert len(fields["stderr"]) <= child.STDERR_TAIL_BYTES


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
def test_hardened_parent_cannot_be_looked_into() -> None:
    code = (
        "import ctypes; from downloader.fetch import harden_parent; harden_parent(); print(ctypes.CDLL(None).prctl(3))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd=FUNCTIONS)
    assert done.stdout.strip() == b"0"  # PR_GET_DUMPABLE
