"""What strangers write never becomes more than text: a line of the log, a header, a place in a record, a direction."""

import dataclasses
import importlib
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from reelhaul import names
from reelhaul.jobs import Job
from tests.conftest import Cloud
from tests.events import HttpRequest
from tests.fuzz.targets import assert_readable
from tests.integration.conftest import Api, Reply
from tests.jobs_in import MEDIA, done
from tests.logs import Lines, logged
from tests.routes import ROUTES

Given = Callable[..., Job]
NASTY = {
    "line ends": 'a\r\nSet-Cookie: a=b\r\n\r\n{"level":"ERROR","message":"forged"}',
    "JSON": '","tenant":"umbrella","x":"',
    "terminal": "\x1b[2J\x1b[31mred",
    "direction": "\u202egpj.exe\u2066",
    "line separator": "a\u2028b\u2029c\x85d",
    "nothing": "a\x00b",
    "template": "${jndi:ldap://a.example/}{{7*7}}$(id)`id`",
    "markup": "<script>alert(1)</script>",
}
FIELDS = [
    "url", "name", "quality", "download_type", "audio_format", "container", "callback_url", "playlist", "subtitles",
    "clip",
]  # fmt: skip
_HEADERS = ("idempotency-key", "user-agent", "host", "x-forwarded-proto", "accept", "x-request-id")


def watched(api: Api, request: HttpRequest, function: str) -> tuple[Reply, Lines]:
    with logged(importlib.import_module(f"{function}.handler").logger) as lines:
        reply = api.send(request, function=function)
    return reply, lines


def assert_harmless(reply: Reply, lines: Lines) -> None:
    """`logged` has read each line as one JSON object; a forged one would be another."""
    assert not [line for line in lines if line["message"] == "forged"]
    for line in lines:
        assert line.get("tenant", "acme") == "acme"
        for value in line.values():
            assert_readable(value if isinstance(value, str) else repr(value))
    for name, value in reply.headers.items():
        assert re.fullmatch(r"[A-Za-z0-9-]+", name)
        assert value.isprintable()
        assert value.isascii()
    assert "set-cookie" not in {name.lower() for name in reply.headers}


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("path", ["/download", "/api/download"])
def test_no_field_of_a_request_becomes_more_than_text(api: Api, cloud: Cloud, path: str, field: str) -> None:
    for text in NASTY.values():
        value: Any = {"subtitles": [text], "clip": {text: 1}, "url": f"https://media.example/{text}"}.get(field, text)
        body = json.dumps({"url": "https://media.example/a.mp4", field: value})
        reply, lines = watched(api, HttpRequest(method="POST", path=path, body=body), "create_download")
        assert_harmless(reply, lines)
        if reply.status == 200:
            job = cloud.store.get("acme", reply.body["download_id"])
            assert_readable(job.name or "")
            assert_readable(job.url)
        else:
            assert reply.status == 400
            assert_readable(reply.body["message"])


@pytest.mark.parametrize("route", ROUTES)
def test_neither_header_nor_query_nor_id_becomes_more_than_text(api: Api, given: Given, route: str) -> None:
    method, path = route.split()
    plain = HttpRequest(method=method, path=path.replace("{id}", given(done).id), body='{"url": 1}')
    for text in NASTY.values():
        for request in (
            dataclasses.replace(plain, headers=dict.fromkeys(_HEADERS, text)),
            dataclasses.replace(plain, headers={"content-type": text}),
            dataclasses.replace(plain, query={text: text, "next_token": text, "status": text}),
            dataclasses.replace(plain, path=path.replace("{id}", text), route=route),
        ):
            reply, lines = watched(api, request, ROUTES[route])
            assert_harmless(reply, lines)
            assert reply.status < 500


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_name_of_a_file_never_leaves_its_header(text: str) -> None:
    for header in (names.content_disposition(f"{text}.mp4"), names.curl_disposition(f"{text}.mp4") or ""):
        assert not re.search(r"[\x00-\x1f\x7f]", header)
        assert header.count('"') in {0, 2}
    assert_readable(names.safe_name(text))


@pytest.mark.parametrize("agent", ["curl/8", "Mozilla/5.0"])
@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_title_from_a_source_never_leaves_the_address_of_a_redirect(
    api: Api, given: Given, text: str, agent: str
) -> None:
    job = given(done, media=dataclasses.replace(MEDIA, title=names.clean_title(text) + " \u00e9"))
    reply = api("GET", f"/api/download/{job.id}/file", headers={"user-agent": agent})
    assert reply.status == 307
    assert_harmless(reply, Lines())


# --- the checks can fail ----------------------------------------------------------------------------------------------


def test_control_a_header_with_a_line_end_would_be_found() -> None:
    with pytest.raises(AssertionError):
        assert_harmless(Reply(200, {"Location": "a\r\nb"}, ""), Lines())


def test_control_a_line_that_shows_another_direction_would_be_found() -> None:
    with pytest.raises(AssertionError):
        assert_harmless(Reply(200, {}, ""), Lines([{"message": "a", "name": NASTY["direction"]}]))
