"""What a source has said to one worker holds for those who go on with the job: real handler and fetchers, on moto."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from reelhaul.jobs import State
from tests.conftest import Cloud
from tests.integration.streaming import PATIENCE_S, make_large
from tests.relay.conftest import Submit
from tests.relay.relaying import Rationed, RationedHandler, invocation

_COMPANY_S = 0.3  # for how long each request waits for another one to come


class _Handler(RationedHandler):
    server: "Shy"

    def do_GET(self) -> None:  # noqa: N802 - named by the base class
        if not self.path.endswith(".ts"):
            super().do_GET()
            return
        server = self.server
        with server.changed:
            server.busy += 1
            server.most_busy = max(server.busy, server.most_busy)
            server.changed.notify_all()
            server.changed.wait_for(lambda: server.busy > 1, _COMPANY_S)
            objects, server.objects = server.objects, False
        try:
            if objects:
                self.serve_status("429")
            else:
                super().do_GET()
        finally:
            with server.changed:
                server.busy -= 1
                server.changed.notify_all()


class Shy(Rationed):
    """Objects once. `most_busy`: how many segments were asked for at a time."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.RequestHandlerClass = _Handler
        self.breath_bytes = 2**40
        self.changed = threading.Condition()
        self.busy = self.most_busy = 0
        self.objects = True


@pytest.fixture
def source(media: Path) -> Iterator[Shy]:
    make_large(media)
    with Shy(media) as server:
        yield server
        server.give(0)


def test_source_that_has_objected_is_asked_by_one_in_later_invocations_too(
    cloud: Cloud, source: Shy, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_CONNECTIONS", "4")
    job = submit("large/list.m3u8", container="mkv")
    source.give(5)
    first = invocation(cloud, job)
    assert (first.state, first.attempts, source.most_busy > 1) == (State.QUEUED, 0, True)
    source.give(0)
    with source.changed:
        assert source.changed.wait_for(lambda: source.busy == 0, PATIENCE_S)
        source.most_busy = 0

    source.give(5)
    second = invocation(cloud, job)

    assert (second.state, second.attempts, source.most_busy) == (State.QUEUED, 0, 1)
