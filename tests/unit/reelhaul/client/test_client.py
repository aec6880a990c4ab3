"""Both clients against a server that answers in the contract's shapes. See tests/e2e/command for the real service."""

import asyncio
import inspect
import time
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest

from reelhaul.client import (
    AsyncClient,
    BadAddress,
    BadKey,
    BadProxy,
    Client,
    ClientError,
    Conflict,
    DownloadFailed,
    Job,
    KeyRefused,
    LimitReached,
    NotFound,
    NotReelhaul,
    Refused,
    Status,
    StillRunning,
    Unavailable,
    Unreachable,
)
from reelhaul.client.calls import MAX_REPLY_BYTES
from tests.serving import DONE, FAILED, JOB_ID, RUNNING, Asked, Said, Server, Storage, error, example, job, shown
from tests.unit.reelhaul.client.conftest import KEY, Call

SOURCE = "https://media.example/talk.mp4"


def test_submission_says_what_is_wanted_and_gives_the_job(server: Server, call: Call) -> None:
    server.tell("POST /download", Said(example("POST /download", "a file under a name")))

    begun: Job = call(lambda client: client.submit(SOURCE, quality="720p", clip={"start": 1.5}))

    [asked] = server.asked
    assert asked.body == {"stream_link": SOURCE, "quality": "720p", "clip": {"start": 1.5}}
    assert asked.headers["x-access-token"] == KEY
    assert (begun.id, begun.status, begun.url) == (JOB_ID, Status.PROCESSING, SOURCE)


def test_submission_that_went_unheard_is_repeated_as_the_same_one(server: Server, call: Call) -> None:
    reply = example("POST /download", "a file under a name")
    server.tell("POST /download", Said(reply, cut=10), error(503, "service.unavailable", Retry_After="0"), Said(reply))

    assert call(lambda client: client.submit(SOURCE)).id == JOB_ID

    assert len(server.asked) == 3
    assert len({asked.headers["idempotency-key"] for asked in server.asked}) == 1


def test_each_submission_is_one_of_its_own(server: Server, call: Call) -> None:
    server.tell("POST /download", Said(example("POST /download", "a file under a name")))
    call(lambda client: client.submit(SOURCE))
    call(lambda client: client.submit(SOURCE))
    keys = [asked.headers["idempotency-key"] for asked in server.asked]
    assert len(set(keys)) == 2
    assert all(len(key) > 30 for key in keys)


def test_own_idempotency_key_is_used(server: Server, call: Call) -> None:
    server.tell("POST /download", Said(example("POST /download", "a file under a name")))
    call(lambda client: client.submit(SOURCE, idempotency_key="mine"))
    assert server.asked[0].headers["idempotency-key"] == "mine"


def test_retry_is_not_repeated_by_itself(server: Server, call: Call) -> None:
    server.tell(f"POST /download/{JOB_ID}", error(503, "service.unavailable"))
    with pytest.raises(Unavailable):
        call(lambda client: client.retry(JOB_ID))
    assert len(server.asked) == 1


def test_job_is_read_with_all_that_there_is_to_it(server: Server, call: Call) -> None:
    server.tell(f"GET /download/{JOB_ID}", Said(example("GET /download/{id}", "with options")))

    found: Job = call(lambda client: client.job(JOB_ID))

    said = job("with options")
    assert (found.status, found.size, found.duration_s) == (Status.DONE, said["filesize"], said["duration"])
    assert found.created_at == datetime(2026, 11, 22, 11, 55, tzinfo=UTC)
    assert [one.language for one in found.subtitles] == ["en"]
    assert found.raw == said
    assert not found.is_playlist


def test_playlist_shows_its_items(server: Server, call: Call) -> None:
    server.tell(f"GET /download/{JOB_ID}", Said(example("GET /download/{id}", "playlist")))

    found: Job = call(lambda client: client.job(JOB_ID))

    assert found.is_playlist
    assert [(item.index, item.status) for item in found.items] == [(1, Status.DONE), (2, Status.ERROR)]
    assert found.items[1].error_code == "source.not_found"


def test_field_of_a_later_version_does_no_harm(server: Server, call: Call) -> None:
    server.tell(f"GET /download/{JOB_ID}", shown(RUNNING, mood="good"))
    assert call(lambda client: client.job(JOB_ID)).raw["mood"] == "good"


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "request.invalid", Refused), (401, "auth.unauthorized", KeyRefused), (404, "job.not_found", NotFound),
        (409, "job.conflict", Conflict), (429, "limit.jobs_per_day", LimitReached),
    ],
)  # fmt: skip
def test_refusal_has_a_class_and_the_services_words(
    server: Server, call: Call, status: int, code: str, kind: type[Refused]
) -> None:
    server.tell(f"GET /download/{JOB_ID}", error(status, code, Retry_After="77"))

    with pytest.raises(kind) as caught:
        call(lambda client: client.job(JOB_ID))

    assert (caught.value.code, caught.value.status, caught.value.retry_after_s) == (code, status, 77)
    assert str(caught.value) == f"because {code}"
    assert len(server.asked) == 1


def test_trouble_of_the_service_that_passes_is_not_noticed(server: Server, call: Call) -> None:
    busy = error(503, "service.unavailable", Retry_After="0")
    server.tell(f"GET /download/{JOB_ID}", busy, Said({"message": "Service Unavailable"}, 503), shown(RUNNING))
    assert call(lambda client: client.job(JOB_ID)).progress == 42.0


def test_too_many_requests_of_everybody_are_made_again_after_a_while(server: Server, call: Call) -> None:
    """API Gateway says so itself, without a code of ours."""
    throttled = Said({"message": "Too Many Requests"}, 429, {"Retry-After": "0"})
    server.tell(f"GET /download/{JOB_ID}", throttled, throttled, shown(RUNNING))
    assert call(lambda client: client.job(JOB_ID)).progress == 42.0
    server.tell(f"GET /download/{JOB_ID}", throttled)
    with pytest.raises(Unavailable, match="429"):
        call(lambda client: client.job(JOB_ID))


def test_patient_question_outlasts_what_ends_another(
    server: Server, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reelhaul.client.calls.PATIENT_WAITS_S", (0.0,) * 7)
    broken = [Said(b"x", cut=0)] * 7
    server.tell(f"GET /download/{JOB_ID}", *broken, shown(RUNNING))
    assert call(lambda client: client.job(JOB_ID, patient=True)).progress == 42.0


def test_reply_that_is_held_back_may_take_longer_than_any_other(server: Server) -> None:
    def late(_: Asked) -> Said:
        time.sleep(0.5)
        return Said(example("GET /async-response/{id}", DONE))

    server.tell(f"GET /async-response/{JOB_ID}", late)
    server.tell(f"GET /download/{JOB_ID}", shown(DONE))
    with Client(server.url, KEY, timeout_s=0.3) as client:
        assert client.wait(JOB_ID).status is Status.DONE
    assert server.paths().count(f"GET /async-response/{JOB_ID}") == 1


@pytest.mark.parametrize(
    "said",
    [
        Said(b"<html>It works!</html>"), Said(b"[1, 2]"), Said({"success": True, "data": {"id": 1}}), Said(b"", 204),
        Said({"message": "Missing Authentication Token"}, 403), Said(b"", 301, {"Location": "https://other.example/"}),
        Said({"data": {"id": "a", "status": "mood"}}), Said({"data": [JOB_ID]}), Said(b"\xff\xfe"),
        Said({"success": True, "data": {"id": "a", "status": "done", "created_at": "soon"}}),
        Said(b" " * (MAX_REPLY_BYTES + 1)), Said(b"[" * 200_000),
        shown(DONE, downloaded_bytes=float("inf")), shown(DONE, filesize="many"), shown(DONE, checksum_sha256="../x"),
        shown(DONE, checksum_sha256=7), shown(DONE, download_url="file:///etc/passwd"), shown(DONE, progress=[]),
        shown(DONE, subtitles=[{"language": "en", "format": "vtt", "url": "ftp://a/b"}]), shown(DONE, title={}),
    ],
)  # fmt: skip
def test_server_of_another_kind_is_recognised(server: Server, call: Call, said: Said) -> None:
    server.tell(f"GET /download/{JOB_ID}", said)
    with pytest.raises(NotReelhaul):
        call(lambda client: client.job(JOB_ID))
    assert len(server.asked) == 1


def test_nobody_at_the_address_is_said_as_such() -> None:
    with Server() as gone:
        url = gone.url
    with Client(url, KEY) as client, pytest.raises(Unreachable, match="does not answer"):
        client.job(JOB_ID)


def test_waiting_asks_again_until_it_has_ended(server: Server, call: Call) -> None:
    held = f"GET /async-response/{JOB_ID}"
    server.tell(
        held, Said(example("GET /async-response/{id}", "running")), Said(example("GET /async-response/{id}", DONE))
    )
    server.tell(f"GET /download/{JOB_ID}", shown(DONE))

    assert call(lambda client: client.wait(JOB_ID)).status is Status.DONE

    assert server.paths() == [held, held, f"GET /download/{JOB_ID}"]


def test_waiting_gives_a_job_that_failed_as_well(server: Server, call: Call) -> None:
    server.tell(f"GET /async-response/{JOB_ID}", Said(example("GET /async-response/{id}", FAILED)))
    server.tell(f"GET /download/{JOB_ID}", shown(FAILED))
    ended: Job = call(lambda client: client.wait(JOB_ID))
    assert (ended.status, ended.error_code) == (Status.ERROR, "source.not_found")


def test_waiting_has_an_end_where_one_is_asked_for(server: Server, call: Call) -> None:
    server.tell(f"GET /async-response/{JOB_ID}", Said(example("GET /async-response/{id}", "running")))
    with pytest.raises(StillRunning, match="It goes on"):
        call(lambda client: client.wait(JOB_ID, timeout_s=0.0))


def _pages(server: Server) -> None:
    first = {"downloads": [job(DONE, id="a")], "total": 2, "next_token": "more&more"}
    last = {"downloads": [job(RUNNING, id="b")], "total": 2, "next_token": None}
    server.tell("GET /download", *(Said({"success": True, "data": data}) for data in (first, last)))


def test_all_jobs_are_the_jobs_of_all_pages(server: Server) -> None:
    _pages(server)
    with Client(server.url, KEY) as client:
        assert [found.id for found in client.jobs(status=Status.DONE)] == ["a", "b"]
    assert server.asked[0].path == "/download?count=200&status=done"
    assert server.asked[1].path == "/download?count=200&status=done&next_token=more%26more"


def test_all_jobs_are_the_jobs_of_all_pages_for_asyncio(server: Server) -> None:
    _pages(server)

    async def ids() -> list[str]:
        async with AsyncClient(server.url, KEY) as client:
            return [found.id async for found in client.jobs()]

    assert asyncio.run(ids()) == ["a", "b"]


def test_cancel_remove_retry_and_inspect_are_the_contracts_routes(server: Server, call: Call) -> None:
    server.tell(f"DELETE /api/downloads/{JOB_ID}", Said({"message": "Download cancelled"}))
    server.tell(f"DELETE /download/{JOB_ID}", Said(example("DELETE /download/{id}", "removed")))
    server.tell(f"POST /download/{JOB_ID}", Said(example("POST /download/{id}", "again")))
    server.tell("POST /api/info", Said({"title": "A talk"}))

    assert call(lambda client: client.cancel(JOB_ID)) is None
    assert call(lambda client: client.remove(JOB_ID)) is None
    assert call(lambda client: client.retry(JOB_ID)).status is Status.PROCESSING
    assert call(lambda client: client.inspect(SOURCE)) == {"title": "A talk"}
    assert server.asked[3].body == {"url": SOURCE}


def test_id_cannot_lead_to_another_route(server: Server, call: Call) -> None:
    with pytest.raises(NotFound):
        call(lambda client: client.cancel("../../download?download_id=x"))
    assert server.asked[0].path == "/api/downloads/..%2F..%2Fdownload%3Fdownload_id%3Dx"


@pytest.mark.parametrize("off_s", [-300, 0, 7200])
def test_service_tells_its_version_and_how_wrong_our_clock_is(server: Server, call: Call, off_s: int) -> None:
    theirs = datetime.fromtimestamp(datetime.now(UTC).timestamp() - off_s, UTC)
    server.tell_of_service(Date=format_datetime(theirs, usegmt=True))

    info = call(lambda client: client.service())

    assert info.version == "0.1.0"
    assert info.clock_off_s == pytest.approx(off_s, abs=30)


def test_other_service_with_a_document_of_its_own_is_not_ours(server: Server, call: Call) -> None:
    server.tell("GET /openapi.json", Said({"openapi": "3.1.0", "info": {"title": "Petstore", "version": "1"}}))
    with pytest.raises(NotReelhaul, match="Petstore"):
        call(lambda client: client.service())


@pytest.mark.parametrize(
    "url",
    ["", "example.com", "ftp://example.com", "https://", "http://example.com", "https://a.example/?x=1", "https://[::1",
     "https://user:pw@a.example", "http://127.0.0.1.example", "http://10.0.0.1"],
)  # fmt: skip
def test_key_is_sent_to_no_senseless_or_unprotected_address(url: str) -> None:
    for kind in (Client, AsyncClient):
        with pytest.raises(BadAddress):
            kind(url, KEY)


def test_key_for_a_service_on_this_machine_is_shown_to_no_proxy(
    server: Server, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.tell(f"GET /download/{JOB_ID}", shown(RUNNING))
    with Server() as proxy:
        for name in ("HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
            monkeypatch.setenv(name.lower(), proxy.url)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.setenv(name, "")
        assert call(lambda client: client.job(JOB_ID)).id == JOB_ID
    assert proxy.asked == []


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1080", "gopher://127.0.0.1:70", "http://[::1", "http://a:b:c"])
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_proxy_that_cannot_be_used_is_said_as_such(
    kind: type[Client | AsyncClient], proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(BadProxy, match="HTTPS_PROXY"):
        kind("https://api.example", KEY)


@pytest.mark.parametrize("key", ["", "  ", "sk-ä", "sk a", "sk-a\nx-evil: 1", "x" * 256])
def test_what_no_header_can_carry_is_no_key(key: str) -> None:
    with pytest.raises(BadKey):
        Client("https://api.example", key)


def test_everything_in_one_call(server: Server, call: Call, tmp_path: Any) -> None:
    server.tell("POST /download", Said(example("POST /download", "a file under a name")))
    server.tell(f"GET /async-response/{JOB_ID}", Said(example("GET /async-response/{id}", DONE)))
    server.tell_of_file(Storage())

    path = call(lambda client: client.fetch(SOURCE, tmp_path, quality="best"))

    assert path.read_bytes() == Storage().content


def test_everything_in_one_call_says_why_there_is_no_file(server: Server, call: Call, tmp_path: Any) -> None:
    server.tell("POST /download", Said(example("POST /download", "a file under a name")))
    server.tell(f"GET /async-response/{JOB_ID}", Said(example("GET /async-response/{id}", FAILED)))
    server.tell(f"GET /download/{JOB_ID}", shown(FAILED))

    with pytest.raises(DownloadFailed) as caught:
        call(lambda client: client.fetch(SOURCE, tmp_path))

    assert (caught.value.code, caught.value.job.id) == ("source.not_found", JOB_ID)
    assert list(tmp_path.iterdir()) == []


def test_both_clients_have_the_same_calls_with_the_same_arguments() -> None:
    def calls(kind: type) -> dict[str, list[str]]:
        found = inspect.getmembers(kind, inspect.isfunction)
        return {name: [*inspect.signature(each).parameters] for name, each in found if not name.startswith("_")}

    assert calls(Client) == calls(AsyncClient)
    assert len(calls(Client)) > 10


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [cls.code for cls in ClientError.__subclasses__() if cls not in {Refused, DownloadFailed}]
    assert len(set(codes)) == len(codes)
    assert all(code.startswith("client.") for code in codes)
