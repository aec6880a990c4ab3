"""The world is what it is said to be: without a way out, with a source that is found, and canaries that sing."""

import contextlib
import socket
from pathlib import Path

import pytest

from tests.hostile import world
from tests.hostile.names import NAMES, NameServer
from tests.hostile.running import DONE, Case, Service
from tests.hostile.servers import INNER_PORTS, SECRET, TLS, WEB, Servers


def test_nothing_leads_out(directory: Path) -> None:
    world.check_no_way_out()
    assert [name for _, name in socket.if_nameindex()] == ["lo"]


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", *world.INSIDE])
def test_every_inside_address_has_a_canary_that_counts(around: tuple[Servers, NameServer], address: str) -> None:
    servers, _ = around
    for port in (WEB, TLS, *INNER_PORTS):
        servers.hits = []
        with socket.create_connection((f"{address}%lo" if address == "fe80::1" else address, port), 5) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
            with contextlib.suppress(ConnectionResetError):
                connection.recv(1)  # by then it has been counted
        assert [(hit.address.partition("%")[0], hit.port) for hit in servers.hits] == [(address, port)]
    servers.hits = []


def test_names_are_looked_up_by_the_system_and_may_change_their_mind(around: tuple[Servers, NameServer]) -> None:
    _, names = around
    names.forget()

    def answers(name: str) -> list[str]:
        return sorted(str(found[4][0]) for found in socket.getaddrinfo(name, 80, type=socket.SOCK_STREAM))

    assert answers("mixed.example") == sorted(NAMES["mixed.example"].turns[0])
    assert [answers("rebinding.example") for _ in range(3)] == [[world.SOURCE], ["127.0.0.1"], ["127.0.0.1"]]
    with pytest.raises(socket.gaierror):
        answers("unknown.example")


@pytest.mark.parametrize("url", ["http://videos.example/clip.mp4", "https://videos.example/clip.mp4",
                                 f"http://[{world.SOURCE_V6}]/clip.mp4"])  # fmt: skip
def test_source_that_means_well_is_fetched(service: Service, media: Path, url: str) -> None:
    outcome = service.run(Case(family="harmless", name="clip", url=url, expected=DONE))
    assert outcome.ended == DONE, outcome.lines
    assert outcome.media == (media / "clip.mp4").read_bytes()
    assert outcome.usage.memory_bytes > 0
    assert SECRET not in "".join(outcome.texts.values())
