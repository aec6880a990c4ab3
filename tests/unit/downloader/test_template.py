"""The process that fetchers are forked from: two jobs share nothing of theirs, and losing it loses none.

What a fetcher does is put into its place by a `sitecustomize` that the template alone finds; otherwise all is real.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from downloader import child, template
from downloader.child import Child
from infra.local.processes import children
from reelhaul.errors import SourceTooLarge, WorkerCrashed
from tests import orders as shared
from tests.media import SourceServer
from tests.unit.downloader.fetching import Fetching, processes_in

ROOT = Path(child.__file__).parents[2]
SECRET, OTHER = (os.urandom(16).hex().encode() for _ in range(2))  # to be found in memory, if they are there
GONE_S = 30.0
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="others' memory is shown to root alone")

# Instead of a fetch: what there is of a job that was before, and then something to be found by the next.
_DIARY = """
import json, os, random, ssl, sys, tempfile, time, uuid
import yt_dlp
from downloader.fetcher import single

def run(*, worker):
    from yt_dlp.extractor.common import InfoExtractor
    from yt_dlp.extractor.fox import FOXIE
    from yt_dlp.extractor.redbee import RedBeeBaseIE
    request = sys.stdin.buffer.read().decode()
    opened = {int(one) for one in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{one}")}
    found = {
        "left": [vars(yt_dlp).get("left"), vars(InfoExtractor).get("left"), os.environ.get("LEFT")],
        "drawn": [
            random.random(), ssl.RAND_bytes(8).hex(), str(uuid.uuid4()), next(tempfile._get_candidate_names()),
            FOXIE._device_id, RedBeeBaseIE._DEVICE_ID,
        ],
        "opened": sorted(opened),
        "kinds": [os.readlink(f"/proc/self/fd/{one}").partition(":")[0] for one in (0, 1, 2)],
        "places": [os.environ["HOME"], os.environ["TMPDIR"], tempfile.gettempdir(), os.getcwd()],
        "is_the_workers": os.getppid() == worker,
        "leads": os.getsid(0) == os.getpid(),
    }
    yt_dlp.left = InfoExtractor.left = os.environ["LEFT"] = request
    print(json.dumps(found), flush=True)
    time.sleep(60)

single.run = run
"""


@pytest.fixture
def orders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Run some code in the template as its interpreter starts."""
    place = tmp_path / "orders"
    place.mkdir()
    return lambda code: shared.give(textwrap.dedent(code), place, monkeypatch)


@pytest.fixture
def job(tmp_path: Path) -> Callable[[], Path]:
    """A fresh directory for each."""
    numbers = iter(range(100))

    def directory() -> Path:
        made = tmp_path / f"job-{next(numbers)}"
        made.mkdir()
        return made

    return directory


def heard(one: Child) -> dict[str, Any]:
    """The first thing that a fetcher says."""
    while (lines := one.lines(wait_s=1.0, most=10_000)) is not None:
        for line in lines:
            found: dict[str, Any] = json.loads(line)
            return found
    raise AssertionError(one.stderr_tail)


def ends_quietly(one: Child) -> bool:
    """It says nothing more and closes its output: either stream may be the first to be seen closed."""
    until = time.monotonic() + GONE_S
    while (lines := one.lines(wait_s=1.0, most=100)) is not None:
        if list(lines) or time.monotonic() > until:
            return False
    return True


def told(directory: Path, request: bytes = SECRET) -> dict[str, Any]:
    with Child(directory=directory, request=request) as one:
        return heard(one)


def templates() -> list[int]:
    """What this process forks fetchers from, while there is no fetcher."""
    return [pid for pid in children(os.getpid()) if _is_one(pid)]


def _is_one(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return b"downloader.fetcher" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def gone(pid: int) -> bool:
    until = time.monotonic() + GONE_S
    while (alive := _runs(pid)) and time.monotonic() < until:
        time.sleep(0.05)
    return not alive


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def memory(pid: int) -> bytes:
    """All that a process could read and write, or write."""
    parts = []
    with Path(f"/proc/{pid}/mem").open("rb") as whole:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            place, rights, *_ = line.split()
            start, end = (int(one, 16) for one in place.split("-"))
            if rights.startswith("rw"):
                whole.seek(start)
                with contextlib.suppress(OSError):
                    parts.append(whole.read(end - start))
    return b"".join(parts)


def place_of(pid: int) -> Path:
    return Path(f"/proc/{pid}/cwd").readlink()


# --- two jobs ---------------------------------------------------------------------------------------------------------


def test_job_finds_nothing_of_the_one_before(orders: Callable[[str], None], job: Callable[[], Path]) -> None:
    orders(_DIARY)
    first, second = told(job()), told(job())
    assert first["left"] == second["left"] == [None, None, None]
    assert not set(first["drawn"]) & set(second["drawn"])


def test_fetcher_has_three_pipes_a_session_and_a_directory_and_is_the_workers_child(
    orders: Callable[[str], None], job: Callable[[], Path]
) -> None:
    orders(_DIARY)
    directory = job()
    with (directory / "kept").open("w") as kept:
        os.set_inheritable(kept.fileno(), True)  # noqa: FBT003 - as a careless library might
        found = told(directory)
    assert (found["opened"], found["kinds"]) == ([0, 1, 2], ["pipe"] * 3)
    assert found["places"] == [str(directory)] * 4
    assert (found["is_the_workers"], found["leads"]) == (True, True)


@as_root
def test_neither_the_template_nor_another_fetcher_holds_a_byte_of_a_request(
    orders: Callable[[str], None], job: Callable[[], Path]
) -> None:
    orders(_DIARY)
    with Child(directory=job(), request=SECRET) as one, Child(directory=job(), request=OTHER) as other:
        heard(one)
        heard(other)
        held = {place_of(pid).name: memory(pid) for pid in templates()}
    assert {place: SECRET in found for place, found in held.items()} == {"": False, "job-0": True, "job-1": False}
    assert {place: OTHER in found for place, found in held.items()} == {
        "": False, "job-0": False, "job-1": True,
    }  # fmt: skip


def test_template_is_in_no_jobs_directory_and_has_no_secret(
    fetching: Fetching, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET.decode())
    fetching("clip.mp4")
    (only,) = templates()
    assert place_of(only) == Path("/")
    assert len(list(Path(f"/proc/{only}/task").iterdir())) == 1
    if os.geteuid() == 0:
        variables = Path(f"/proc/{only}/environ").read_bytes().split(b"\0")
        names = {one.partition(b"=")[0].decode() for one in variables if one}
        assert names == child.environment(Path("/")).keys() - {"HOME", "TMPDIR"}


def test_job_that_takes_all_memory_leaves_the_next_its_own(fetching: Fetching) -> None:
    fetching("clip.mp4")
    before = templates()
    with pytest.raises(SourceTooLarge):
        fetching("bomb", max_memory_bytes=300 * 1024**2)
    assert fetching("clip.mp4").media.title == "clip"
    assert templates() == before


def test_job_that_is_killed_leaves_the_next_its_template(
    orders: Callable[[str], None], job: Callable[[], Path]
) -> None:
    orders(_DIARY)
    with Child(directory=job(), request=b"") as one:
        heard(one)
        (fetcher,) = [pid for pid in templates() if place_of(pid) != Path("/")]
        os.kill(fetcher, signal.SIGKILL)
        assert ends_quietly(one)
    assert one.exit_status == -signal.SIGKILL
    before = templates()
    assert told(job())["left"] == [None] * 3
    assert templates() == before


# --- losing it --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_template_that_is_lost_or_halted_is_replaced_and_the_job_done(
    fetching: Fetching, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    fetching("clip.mp4")
    (lost,) = templates()
    monkeypatch.setattr(template, "ANSWER_S", 5.0)  # of its successor, too
    os.kill(lost, number)
    if number == signal.SIGKILL:
        assert gone(lost)
    assert fetching("clip.mp4").media.title == "clip"
    (now,) = templates()
    assert now != lost
    assert not Path(f"/proc/{lost}").exists()


def test_running_job_does_not_depend_on_the_template(fetching: Fetching) -> None:
    def lose(_: object) -> None:
        for pid in templates():
            if place_of(pid) == Path("/"):
                os.kill(pid, signal.SIGKILL)

    fetching.on_progress = lose
    assert fetching("slow/clip.mp4?rate=60000").media.title == "clip"


def test_template_that_cannot_start_says_why_and_fails_the_attempt(
    fetching: Fetching, orders: Callable[[str], None]
) -> None:
    orders("import sys; sys.modules['yt_dlp'] = None")
    with pytest.raises(WorkerCrashed):
        fetching("clip.mp4")
    ((event, fields),) = fetching.logged
    assert event == "fetcher_not_started"
    assert "yt_dlp" in fields["reason"]


def test_another_environment_is_another_templates(
    fetching: Fetching, orders: Callable[[str], None], job: Callable[[], Path]
) -> None:
    fetching("clip.mp4")
    (before,) = templates()
    orders(_DIARY)
    told(job())
    (now,) = templates()
    assert now != before
    assert not Path(f"/proc/{before}").exists()


_WORKER = """
import sys, threading, time
from pathlib import Path
from downloader.fetch import FetchRequest, guarded_fetch, harden_parent
from reelhaul.options import Options
harden_parent()
guarded_fetch(
    FetchRequest(url=sys.argv[1], options=Options(), max_bytes=10**8), directory=Path(sys.argv[2]),
    deadline=time.monotonic() + 600, allowed_origins=frozenset({sys.argv[3]}),
    on_progress=lambda _: print("fetching", flush=True), stop=threading.Event(), log=print,
)
"""


def test_death_of_the_worker_is_that_of_its_template_and_fetchers(
    source: SourceServer, job: Callable[[], Path]
) -> None:
    directory = job()
    slow = source.url("slow/clip.mp4?rate=1000")
    command = [sys.executable, "-c", _WORKER, slow, str(directory), source.origin]
    environment = {"PYTHONPATH": child.environment(directory)["PYTHONPATH"], "PATH": os.defpath}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"fetching\n"
        started = [pid for pid in children(worker.pid) if _is_one(pid)]
        worker.kill()
    assert len(started) == 2
    assert [gone(pid) for pid in started] == [True, True]
    assert processes_in(directory) == []


# --- what it is for ---------------------------------------------------------------------------------------------------

_COUNTED = """
import sys
from downloader.fetcher import single
original = single.run

def run(**given):
    before = set(sys.modules)
    original(**given)
    open("imported", "w").write("\\n".join(set(sys.modules) - before))

single.run = run
"""


def test_plain_job_imports_next_to_nothing(fetching: Fetching, orders: Callable[[str], None]) -> None:
    orders(_COUNTED)
    fetching("clip.mp4")
    imported = (fetching.directory / "imported").read_text().split()
    assert set(imported) <= {"concurrent.futures.thread"}


_DRAWS = """
import os, random, sys

def noting(draw):
    def noted(*args, **kwargs):
        frame = caller = sys._getframe(1)
        while frame is not None and "yt_dlp" not in frame.f_code.co_filename:
            frame = frame.f_back
        if frame is not None:
            drawing.add((frame.f_globals["__name__"], caller.f_globals["__name__"]))
        return draw(*args, **kwargs)
    return noted

drawing = set()
os.urandom = noting(os.urandom)
for name in ("random", "choice", "choices", "randint", "randrange", "sample", "shuffle", "getrandbits", "uniform"):
    setattr(random, name, noting(getattr(random, name)))
from downloader.fetcher import warming
warming.up()
print(sorted(name for name, _ in drawing))
from yt_dlp.extractor import fox, nfl, redbee, viu
values = lambda: (
    fox.FOXIE._device_id, nfl.NFLBaseIE._CLIENT_DATA["deviceId"], redbee.RedBeeBaseIE._DEVICE_ID,
    viu.ViuOTTIndonesiaBaseIE._DEVICE_ID, viu.ViuOTTIndonesiaBaseIE._SESSION_ID,
)
before = values()
warming.draw_again()
print(len({*before, *values()}))
"""


def test_what_is_drawn_by_lot_at_import_is_known_and_drawn_again(tmp_path: Path) -> None:
    """Else all fetchers of a worker had the same: a newer yt-dlp may bring more of it.

    Of the others, nitter's is which of its servers is asked, and YoutubeDL's is of the rehearsal, and thrown away.
    """
    done = subprocess.run(
        [sys.executable, "-c", _DRAWS], check=True, capture_output=True, text=True, env=child.environment(tmp_path)
    )
    drawing, different = done.stdout.splitlines()
    known = {"fox", "nfl", "nitter", "redbee", "viu"}
    assert set(json.loads(drawing.replace("'", '"'))) == {
        "yt_dlp.YoutubeDL", "yt_dlp.utils.networking", *(f"yt_dlp.extractor.{name}" for name in known),
    }  # fmt: skip
    assert different == "10"
