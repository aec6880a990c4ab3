"""The `videodb` SDK from PyPI, unmodified: `connect` with our base URL and key, as for the service it was made for."""

import dataclasses
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import requests
import videodb

from tests import canaries
from tests.e2e.running import KEY, Client, Service, request
from tests.media import SourceServer, probed

pytestmark = pytest.mark.e2e

HELD_S = 20  # how long a poll is held back at most, see the contract


@pytest.fixture
def sdk(service: Service) -> Iterator[videodb.Connection]:
    connection = videodb.connect(api_key=KEY, base_url=service.url)
    yield connection
    connection.session.close()


@dataclasses.dataclass
class Recorder:
    """Replies that a `requests.Session` got, by its own hook: path and how long each took."""

    seen: list[tuple[str, float]] = dataclasses.field(default_factory=list)

    def __call__(self, reply: requests.Response, **_: Any) -> None:
        canaries.assert_none([reply.content, reply.headers], where=f"the reply to {reply.url}")
        self.seen.append((str(reply.request.path_url), reply.elapsed.total_seconds()))

    def polls_s(self) -> list[float]:
        return [took_s for path, took_s in self.seen if path.startswith("/async-response/")]


@pytest.fixture
def recorder(sdk: videodb.Connection) -> Recorder:
    found = Recorder()
    sdk.session.hooks["response"].append(found)
    return found


def took_s(job: dict[str, Any]) -> float:
    """From the job's creation to its end."""
    started, ended = (datetime.fromisoformat(job[field]) for field in ("created_at", "completed_at"))
    return (ended - started).total_seconds()


def test_download_returns_the_finished_job_and_its_link_yields_the_file(
    sdk: videodb.Connection, source: SourceServer
) -> None:
    job = sdk.download(source.url("clip.mp4"), "my video")

    assert (job["status"], job["name"], job["progress"]) == ("done", "my video.mp4", 100)
    assert request("GET", job["download_url"]).body == (source.directory / "clip.mp4").read_bytes()


def test_download_of_a_stream_returns_one_playable_file(
    sdk: videodb.Connection, source: SourceServer, tmp_path: Path
) -> None:
    job = sdk.download(source.url("hls/master.m3u8"), "stream")

    (tmp_path / "file").write_bytes(request("GET", job["download_url"]).body)
    assert probed(tmp_path / "file")["tracks"] == ["audio", "video"]


def test_short_job_is_answered_by_the_poll_that_is_held_for_it(
    sdk: videodb.Connection, recorder: Recorder, source: SourceServer, capsys: pytest.CaptureFixture[str]
) -> None:
    size = (source.directory / "clip.mp4").stat().st_size
    sdk.download(source.url("clip.mp4"), "to warm it up")
    recorder.seen.clear()

    job = sdk.download(source.url(f"slow/clip.mp4?rate={2 * size}"), "half a second")

    polls_s = recorder.polls_s()
    with capsys.disabled():
        print(f"\na job of {took_s(job):.2f} s was answered by {len(polls_s)} poll(s) of {sum(polls_s):.2f} s")  # noqa: T201 - the figure
    assert job["status"] == "done"
    assert took_s(job) >= 0.4  # its source takes that long, so the poll that came at once found it at work
    # The SDK sleeps five seconds between two polls. It needs one, unless a busy machine made the job a long one.
    assert len(polls_s) <= 1 + took_s(job) // HELD_S


def test_failing_source_raises_our_sentence(sdk: videodb.Connection, client: Client, source: SourceServer) -> None:
    with pytest.raises(videodb.InvalidRequestError) as raised:
        sdk.download(source.url("status/404"), "not there")

    newest = sdk.get("download", params={"count": 1})["downloads"][0]
    assert (newest["name"], newest["status"]) == ("not there", "error")
    assert newest["error"]
    assert str(raised.value).strip() == f"Invalid request: {newest['error']}"


def test_bad_address_raises_our_sentence(sdk: videodb.Connection) -> None:
    with pytest.raises(videodb.InvalidRequestError, match=r"^Invalid request: .*stream_link"):
        sdk.download("ftp://example.com/clip.mp4", "no web address")


def test_wrong_key_raises_authentication_error(service: Service, source: SourceServer) -> None:
    sdk = videodb.connect(api_key="sk-wrong-0123456789abcdef", base_url=service.url)

    with pytest.raises(videodb.AuthenticationError):
        sdk.download(source.url("clip.mp4"), "not mine")
    with pytest.raises(videodb.AuthenticationError):
        sdk.get("download")
    sdk.session.close()


def test_job_is_listed_and_found_by_its_id(sdk: videodb.Connection, source: SourceServer) -> None:
    job = sdk.download(source.url("clip.mp4"), "to be found")

    listed = sdk.get("download", params={"page_index": 0, "count": 50})
    found = sdk.get(f"download/{job['id']}")

    assert listed["total"] >= 1
    assert [row["name"] for row in listed["downloads"] if row["id"] == job["id"]] == ["to be found.mp4"]
    assert (found["id"], found["status"], found["name"]) == (job["id"], "done", "to be found.mp4")
    assert request("GET", found["download_url"]).status == 200


def test_failed_job_is_retried_under_its_id(sdk: videodb.Connection, source: SourceServer) -> None:
    late = source.directory / "late-python.mp4"
    with pytest.raises(videodb.InvalidRequestError):
        sdk.download(source.url(late.name), "late")
    job_id = sdk.get("download", params={"count": 1})["downloads"][0]["id"]

    late.write_bytes((source.directory / "clip.mp4").read_bytes())
    job = sdk.post(f"download/{job_id}")

    assert (job["id"], job["status"], job["name"]) == (job_id, "done", "late.mp4")
    with pytest.raises(videodb.InvalidRequestError):
        sdk.post(f"download/{job_id}")  # it is done now


@pytest.mark.parametrize("form", ["path", "query", "body"])
def test_deleted_job_is_gone(form: str, sdk: videodb.Connection, source: SourceServer) -> None:
    job_id = sdk.download(source.url("clip.mp4"), "to be deleted")["id"]

    if form == "path":
        sdk.delete(f"download/{job_id}")
    else:
        sdk.delete("download", **{{"query": "params", "body": "json"}[form]: {"download_id": job_id}})

    with pytest.raises(videodb.InvalidRequestError):
        sdk.get(f"download/{job_id}")
