"""The document is true: schemathesis asks the running service for everything in it, with every check that it has."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest

from infra.local.engine import CREDENTIALS, REGION
from reelhaul.sources import check_source
from tests.e2e.clients.harmless import LOOPBACK, harmless_address, harmless_body, sound_address
from tests.e2e.running import KEY, ROOT, Client, Service
from tests.media import SourceServer

pytestmark = pytest.mark.e2e

SCHEMATHESIS = str(Path(sys.executable).with_name("schemathesis"))
CONFIG = Path(__file__).with_name("schemathesis.toml")
LONGEST_S = 900.0  # two minutes on a machine that has nothing else to do


@contextmanager
def no_downloads(service: Service) -> Iterator[None]:
    """What is queued stays queued: hundreds of downloads of nothing would only keep the machine busy."""
    functions = boto3.client(
        "lambda",
        endpoint_url=service.url,
        region_name=REGION,
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    )
    mappings = [
        mapping["UUID"]
        for mapping in functions.list_event_source_mappings()["EventSourceMappings"]
        if "Downloader" in mapping["FunctionArn"]
    ]
    for mapping in mappings:
        functions.update_event_source_mapping(UUID=mapping, Enabled=False)
    try:
        yield
    finally:
        for mapping in mappings:
            functions.update_event_source_mapping(UUID=mapping, Enabled=True)


def all_downloads(client: Client) -> list[dict[str, Any]]:
    return list(client.call("GET", "/download?count=5000").json["data"]["downloads"])


@pytest.mark.timeout(LONGEST_S + 120)
def test_schemathesis_finds_nothing(client: Client, service: Service, source: SourceServer) -> None:
    done = client.ended(client.create(source.url("clip.mp4"), name="my video"))
    failed = client.ended(client.create(source.url("status/404")))
    assert (done["status"], failed["status"]) == ("done", "error")
    before = {job["id"] for job in all_downloads(client)}

    settings = {"REELHAUL_KEY": KEY, "REELHAUL_ENDED_JOBS": f"{done['id']} {failed['id']}"}

    with no_downloads(service):
        run = subprocess.run(
            [SCHEMATHESIS, "--config-file", str(CONFIG), "run", f"{service.url}/openapi.json", "--checks", "all"],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)} | settings,
            capture_output=True,
            text=True,
            check=False,
            timeout=LONGEST_S,
        )
        made = [job for job in all_downloads(client) if job["id"] not in before]
        for job in made:
            client.call("DELETE", f"/download/{job['id']}")

    assert run.returncode == 0, run.stdout[-20_000:] + run.stderr[-2_000:]
    assert len(made) > 20, "it accepted hardly anything"
    assert {urlsplit(job["url"]).hostname for job in made} == {LOOPBACK}


@pytest.mark.parametrize(
    ("made_up", "harmless"),
    [
        ("https://media.example/a?b#c", "https://127.0.0.1/a?b#c"),
        ("HTTP://203.0.113.7:8080", "http://127.0.0.1:8080"),
        ("http://user:word@media.example/", "http://user:word@127.0.0.1/"),
        ("http://[2001:db8::1]:80/", "http://127.0.0.1:80/"),
        ("//media.example/a", "//127.0.0.1/a"),
        ("not an address", "not an address"),
        ("http://", "http://"),
    ],
)
def test_what_it_makes_up_is_turned_to_this_machine(made_up: str, harmless: str) -> None:
    assert harmless_address(made_up) == harmless
    hidden = b'{"url": ["' + "".join(f"\\u{ord(char):04x}" for char in made_up).encode() + b'"]}'
    assert b"example" not in harmless_body(hidden)


@pytest.mark.parametrize("made_up", ["http://[", "https://a:x/b", "http://\u200b/\x01c", f"http://a/{'b' * 2040}"])
def test_what_it_makes_up_by_the_schema_becomes_an_address(made_up: str) -> None:
    address = sound_address(made_up, longest=2048)
    check_source(address)
    assert urlsplit(address).hostname == LOOPBACK
