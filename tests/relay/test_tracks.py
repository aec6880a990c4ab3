"""Downloads of several pieces that take longer than an invocation: real fetchers, one after the other, on moto."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reelhaul.jobs import Job, State
from tests.conftest import Cloud
from tests.relay.comparing import assert_same
from tests.relay.conftest import Submit
from tests.relay.pieces import Pieces, make_pieces
from tests.relay.relaying import invocation, stored

_CLOSE_S = 0.025
_ALL = 10**9
_SHARE = 0.25  # of all, for each of the first four invocations, were it not a little less

Handle = Callable[[Job, int], Job]


@pytest.fixture
def source(media: Path) -> Iterator[Pieces]:
    make_pieces(media)
    with Pieces(media) as server:
        yield server
        server.ration(0, share=0.0)


@pytest.fixture
def invoke(cloud: Cloud, source: Pieces) -> Handle:
    """The next invocation for the job, which the source has so many bytes for."""

    def invoke(job: Job, ration: int) -> Job:
        source.ration(ration, share=min(1.0, 0.85 * _SHARE) if ration < _ALL else 1.0)
        return invocation(cloud, job)

    return invoke


def kept(cloud: Cloud, job: Job, path: Path) -> Path:
    path.write_bytes(stored(cloud, job))
    return path


@pytest.mark.parametrize(
    ("path", "most"),  # of files what lies in sockets is lost with each connection, which is much of ones so small
    [
        ("large/list.m3u8", 1.05),
        ("large/fmp4/list.m3u8", 1.05),
        ("large/manifest.mpd", 1.05),
        ("large/two/manifest.mpd", 2.0),
    ],
)
def test_four_invocations_make_what_one_makes(
    cloud: Cloud, source: Pieces, submit: Submit, invoke: Handle, work: Path, path: str, most: float
) -> None:
    single = kept(cloud, invoke(submit(path), _ALL), work.parent / "single.mp4")
    whole_bytes = sum(source.sent_bytes.values())
    source.sent_bytes.clear()
    job = submit(path)
    came = [0]
    for _ in range(4):
        waiting = invoke(job, int(whole_bytes * _SHARE * 0.85))
        assert (waiting.state, waiting.attempts) == (State.QUEUED, 0), waiting
        assert waiting.checkpoint is not None
        assert not list(work.iterdir())
        came.append(waiting.checkpoint.bytes)
    seamed = kept(cloud, invoke(job, _ALL), work.parent / "seamed.mp4")

    assert all(later > before for before, later in itertools.pairwise(came))
    assert sum(source.sent_bytes.values()) < whole_bytes * most, source.sent_bytes
    assert_same(seamed, single)
