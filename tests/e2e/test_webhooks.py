"""Webhooks through the whole deployed service: from the job's last write to a receiver that verifies what it gets."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from tests.authority import Authority
from tests.e2e.running import REELHAUL, Client, Service, request, serve, until
from tests.media import SourceServer
from tests.receiver import Received, Receiver

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def receiver(authority: Authority) -> Iterator[Receiver]:
    with Receiver(authority) as server:
        yield server


@pytest.fixture(scope="module")
def struggling(authority: Authority) -> Iterator[Receiver]:
    """Has trouble with its very first event."""
    with Receiver(authority, 500, 200) as server:
        yield server


@pytest.fixture(scope="module")
def service(
    source: SourceServer,
    authority: Authority,
    receiver: Receiver,
    struggling: Receiver,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Service]:
    """One that trusts the receivers' authority, and may go to them."""
    origins = [f"--allow-origin={server.origin}" for server in (source, receiver, struggling)]
    data: Path = tmp_path_factory.mktemp("webhooks") / "data"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(authority.roots))
        with serve(data, *origins) as running:
            yield running


@pytest.fixture
def client(service: Service) -> Client:
    return service.client()


def received(receiver: Receiver, job_id: str, *, count: int = 1) -> list[Received]:
    """What has come about the job, once there are `count`."""
    return until(
        lambda: [one for one in receiver.received if one.json["data"]["id"] == job_id],
        lambda found: len(found) >= count,
        within_s=60,
    )


def settled(client: Client, job_id: str) -> dict[str, Any]:
    """The delivery as the job shows it, once that is over."""
    job = until(lambda: client.job(job_id), lambda seen: seen["webhook"]["state"] != "pending", within_s=60)
    return dict(job["webhook"])


@pytest.fixture(scope="module")
def secret(service: Service) -> str:
    command = [REELHAUL, "webhooks", "secret", "--tenant", "local", "--local", service.url]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_finished_download_is_told_verifiably_and_with_a_link_to_its_file(
    client: Client, source: SourceServer, receiver: Receiver, secret: str
) -> None:
    job_id = client.create(source.url("clip.mp4"), callback_url=receiver.url("/done?token=hush"))
    [call] = received(receiver, job_id)
    body = Webhook(secret).verify(call.body, call.headers)
    assert (body["type"], call.path) == ("download.completed", "/done?token=hush")
    assert request("GET", body["data"]["download_url"]).body == (source.directory / "clip.mp4").read_bytes()
    delivery = settled(client, job_id)
    assert (delivery["state"], delivery["attempts"], delivery["response_status"]) == ("delivered", 1, 200)
    assert delivery["event_id"] == call.headers["webhook-id"]


def test_failed_download_is_told_with_its_reason(
    client: Client, source: SourceServer, receiver: Receiver, secret: str
) -> None:
    job_id = client.create(source.url("status/404"), callback_url=receiver.url())
    [call] = received(receiver, job_id)
    body = Webhook(secret).verify(call.body, call.headers)
    assert body["type"] == "download.failed"
    assert body["data"]["error"] == client.job(job_id)["error"]


def test_cancelled_download_is_told(client: Client, source: SourceServer, receiver: Receiver) -> None:
    job_id = client.create(source.url("slow/clip.mp4?rate=20000"), callback_url=receiver.url())
    assert client.call("DELETE", f"/api/downloads/{job_id}").status == 200
    [call] = received(receiver, job_id)
    assert call.event == ("download.cancelled", job_id)


def test_download_that_is_deleted_on_its_way_is_told_as_cancelled(
    client: Client, source: SourceServer, receiver: Receiver
) -> None:
    job_id = client.create(source.url("slow/clip.mp4?rate=20000"), callback_url=receiver.url())
    assert client.call("DELETE", f"/download/{job_id}").status == 200
    [call] = received(receiver, job_id)
    assert call.event == ("download.cancelled", job_id)


def test_receiver_in_trouble_is_called_again(client: Client, source: SourceServer, struggling: Receiver) -> None:
    job_id = client.create(source.url("clip.mp4"), callback_url=struggling.url())
    first, second = received(struggling, job_id, count=2)
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    delivery = settled(client, job_id)
    assert (delivery["state"], delivery["attempts"], delivery["response_status"]) == ("delivered", 2, 200)


def test_inside_is_never_called(client: Client, source: SourceServer, authority: Authority) -> None:
    with Receiver(authority) as canary:
        job_id = client.create(source.url("clip.mp4"), callback_url=canary.url())
        job = until(lambda: client.job(job_id), lambda seen: seen.get("webhook", {}).get("attempts"), within_s=60)
        assert canary.connections == 0
    assert job["status"] == "done"
    assert job["webhook"]["state"] == "pending"
    assert job["webhook"]["error"] == "This service does not connect to the address that the target is at."
