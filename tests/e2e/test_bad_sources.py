"""Whatever a source does, its job ends with a code of its own, and the next job works."""

import pytest

from tests.e2e.running import KEY, Client, Service, request
from tests.media import SourceServer, make_media

pytestmark = pytest.mark.e2e

_ENDINGS = {
    "status/404": "source.not_found",
    "half.mp4": "source.interrupted",
    "html.mp4": "source.not_media",
    "page.html": "source.unsupported",
    "status/500": "source.unavailable",
}


@pytest.mark.parametrize("path", _ENDINGS)
def test_bad_source_ends_in_its_own_error(path: str, client: Client, source: SourceServer) -> None:
    job = client.ended(client.create(source.url(path)))

    assert (job["status"], job["error_code"]) == ("error", _ENDINGS[path])
    assert job["error"].endswith(".")
    assert "download_url" not in job
    after = client.ended(client.create(source.url("clip.mp4")))
    assert after["status"] == "done"


def test_endings_can_be_told_apart() -> None:
    assert len(set(_ENDINGS.values())) == len(_ENDINGS)


def test_loopback_is_refused_unless_opened(client: Client, tmp_path_factory: pytest.TempPathFactory) -> None:
    with SourceServer(make_media(tmp_path_factory.mktemp("closed"))) as closed:
        job = client.ended(client.create(closed.url("clip.mp4")))

        assert job["error_code"] == "source.refused_address"
        assert closed.connections == 0


def test_redirect_inside_is_refused(
    client: Client, source: SourceServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with SourceServer(make_media(tmp_path_factory.mktemp("canary"))) as canary:
        job = client.ended(client.create(source.url(f"redirect?to={canary.url('clip.mp4')}")))

        assert job["error_code"] == "source.refused_address"
        assert canary.connections == 0


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"stream_link": "not a url"},
        {"stream_link": "ftp://example.com/a.mp4"},
        {"stream_link": "http://127.0.0.1/a.mp4", "quality": "9000p"},
        {"stream_link": "http://127.0.0.1/a.mp4", "colour": "red"},
        {"stream_link": 7},
        b"{",
        b"[]",
    ],
)
def test_senseless_request_is_refused_and_leaves_nothing(body: object, client: Client) -> None:
    before = client.call("GET", "/download?count=1").json["data"]["total"]

    reply = client.call("POST", "/download", body)

    assert reply.status == 400
    assert {"success", "message", "detail", "code"} <= reply.json.keys()
    assert reply.json["message"] == reply.json["detail"]
    assert client.call("GET", "/download?count=1").json["data"]["total"] == before


def test_only_the_right_key_opens(service: Service, source: SourceServer) -> None:
    job_id = service.client().create(source.url("clip.mp4"))
    path = f"/download/{job_id}"

    none, wrong = service.client(None).call("GET", path), service.client("sk-wrong-wrong-wrong").call("GET", path)
    bearer = request("GET", service.url + path, headers={"Authorization": f"Bearer {KEY}"})

    assert (none.status, wrong.status, bearer.status) == (401, 401, 200)
    assert none.body == wrong.body
    service.client().ended(job_id)
