"""The document's examples are what the handlers really answer.

They are stored; `WRITE_EXAMPLES=1 pytest tests/integration/test_examples.py` (`make examples`) copies them anew.
"""

import dataclasses
import itertools
import json
import os
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from reelhaul import ids, jobs
from reelhaul.documentation import document
from reelhaul.documentation.operations import JSON, OPERATIONS
from reelhaul.jobs import Job
from reelhaul.options import Clip, Options
from tests import jobs_in
from tests.integration.conftest import Api, Reply
from tests.schemas import undocumented, validator

# Instead of what differs from one run to the next.
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
IDS = [f"download-{ulid}" for ulid in (
    "01m81hr3h0fp2xycha2ghd03gq",
    "01m81hr3n90wjrss84verwp60p",
    "01m81hr3sjxjg5qdzv1zcdj0av",
    "01m81hr3xvsteanyz0c9bzzexa",
    "01m81hr4249kagrvhm7333qsd9",
)]  # fmt: skip
EVENT, TOKEN = "msg_01m81hr3h0fp2xycha2ghd03gq_1", "q2f8Yw7Jr0sKd3uXn5bZ1gAwMWtha2QzeDVxOHZ3MmZ6dDZobXI5Y3kxbmI"
MEDIA = dataclasses.replace(jobs_in.MEDIA, title="A talk", thumbnail="https://media.example/talk.jpg")
ORIGIN, SOURCE = "https://api.example", "https://media.example/talk.mp4"
LINK = "https://files.example/talk.mp4?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=86400&X-Amz-Signature=5f1c"

Example = dict[str, Any]
Give = Callable[..., Job]


def normal(text: str, *, now: float) -> str:
    """`text` without what differs from run to run. Times keep their distance from `now`, to the minute."""

    def at(found: re.Match[str]) -> str:
        minutes = round((datetime.fromisoformat(found[0]).timestamp() - now) / 60)
        moved = datetime.fromtimestamp(NOON.timestamp() + 60 * minutes, UTC)
        return moved.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    ids = dict(zip(dict.fromkeys(re.findall(r"download-[0-9a-z]{26}", text)), IDS, strict=False))
    text = re.sub(r'https://[^"]*X-Amz-[^"]*', LINK, text)
    text = re.sub(r'"next_token":"[^"]*"', f'"next_token":"{TOKEN}"', text)
    text = re.sub(r'"event_id":"[^"]*"', f'"event_id":"{EVENT}"', text)
    text = re.sub(r'https://[^"/]*amazonaws[.]com', ORIGIN, text)
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", at, text)
    for found, shown in ids.items():
        text = text.replace(found, shown)
    return text


class Recorder:
    """Sends requests and keeps what was answered."""

    def __init__(self, api: Api) -> None:
        self.now = time.time()
        self.examples: list[Example] = []
        self._api = api

    def __call__(self, route: str, name: str, *, job: Job | None = None, request: Any = None, **sent: Any) -> Reply:
        method, path = route.split()
        job_id = job.id if job else ids.new_id(self.now)
        reply = self._api(method, path.replace("{id}", job_id), json_body=request, **sent)
        example = {"route": route, "name": name, "status": str(reply.status)}
        if request is not None:
            example["request"] = request
        text = json.dumps(example | {"reply": reply.body}, ensure_ascii=False, separators=(",", ":"))
        self.examples.append(json.loads(normal(text, now=self.now)))
        return reply


@pytest.fixture
def recorder(api: Api) -> Recorder:
    return Recorder(api)


@pytest.fixture
def recorded(recorder: Recorder, given: Give) -> list[Example]:
    times = (recorder.now - 300 + number / 100 for number in itertools.count())  # so that lists have one order

    def give(make: Callable[..., Job], **fields: Any) -> Job:
        return given(make, now=round(next(times), 3), url=SOURCE, **fields)

    _record_creation(recorder)
    _record_first_contract(recorder, give)
    _record_second_contract(recorder, give)
    return recorder.examples


def _record_creation(record: Recorder) -> None:
    clip = {"start": 90, "end": 120.5}
    more = {"quality": "1080p", "subtitles": ["en", "pt-BR"], "clip": clip, "retention_days": 3}
    record("POST /download", "a file under a name", request={"stream_link": SOURCE, "name": "my video"})
    record("POST /download", "with options", request={"stream_link": SOURCE, **more})
    record("POST /download", "misspelt option", request={"stream_link": SOURCE, "qualty": "720p"})
    spent = {"max_concurrent_jobs": "2"}
    record("POST /download", "over a limit of the key", request={"stream_link": SOURCE}, said=spent)
    sound = {"url": SOURCE, "download_type": "audio", "audio_format": "mp3"}
    record("POST /download", "no key", request={"stream_link": SOURCE}, tenant=None)
    once = {"idempotency-key": "order-4711"}
    record("POST /api/download", "sound alone", request=sound, headers=once)
    record("POST /api/download", "the same key again", request={"url": SOURCE}, headers=once)
    record("POST /api/download", "unknown quality", request={"url": SOURCE, "quality": "999p"})


def _record_first_contract(record: Recorder, give: Give) -> None:
    _record_jobs(record, give)
    record("GET /download/{id}", "unknown")
    record("GET /async-response/{id}", "running", job=give(jobs_in.running))
    record("GET /async-response/{id}", "failed", job=give(jobs_in.failed))
    record("GET /async-response/{id}", "unknown")
    record("POST /download/{id}", "again", job=give(jobs_in.failed))
    record("POST /download/{id}", "not yet", job=give(jobs_in.running))
    spent = {"max_jobs_per_day": "2"}
    record("POST /download/{id}", "over a limit of the key", job=give(jobs_in.failed), said=spent)
    record("GET /download", "a page", query={"count": "2", "status": "done"})
    record("GET /download", "too many", query={"count": "9999"})
    record("GET /updates", "all there is", tenant="umbrella")
    record("GET /updates", "too long", query={"wait": "60"})
    record("DELETE /download/{id}", "removed", job=give(_done))
    named = give(_done)
    record("DELETE /download", "by its body", request={"download_id": named.id})


def _record_jobs(record: Recorder, give: Give) -> None:
    done = give(_with_image, name="my video")
    record("GET /async-response/{id}", "done", job=done)
    record("GET /download/{id}", "done", job=done)
    record("GET /download/{id}", "running", job=give(jobs_in.running))
    record("GET /download/{id}", "failed", job=give(jobs_in.failed))
    record("GET /download/{id}", "with options", job=give(_with_options))
    record("GET /download/{id}", "playlist", job=_playlist(give))


def _done(**fields: Any) -> Job:
    return jobs_in.done(media=MEDIA, **fields)


def _with_image(**fields: Any) -> Job:
    job = _done(**fields)
    return dataclasses.replace(job, extras=(jobs_in.extra(job),))  # noqa: S610 - no Django here


def _with_options(**fields: Any) -> Job:
    options = Options(quality="1080p", subtitles=("en", "pt-BR"), clip=Clip(start_s=90, end_s=120.5))
    job = jobs_in.done(media=MEDIA, options=options, callback_url="https://hooks.example/reelhaul", **fields)
    subtitles = jobs_in.extra(job, "subtitles", language="en")  # noqa: S610 - no Django here
    return dataclasses.replace(job, extras=(subtitles,))


def _playlist(give: Give) -> Job:
    parent = give(jobs_in.expanded, total=2, title="Talks")
    for index, like in ((1, _done), (2, jobs_in.failed)):
        give(_item, like=like, parent=parent, index=index)
    return parent


def _item(*, like: Callable[..., Job], parent: Job, index: int, **fields: Any) -> Job:
    place = jobs.PlaylistItem(parent_id=parent.id, index=index, total=2)
    return dataclasses.replace(like(item=place, **fields), id=ids.item_id(parent, index))


def _record_second_contract(record: Recorder, give: Give) -> None:
    record("GET /api/downloads", "the newest", query={"limit": "2"})
    record("GET /api/downloads", "too many", query={"limit": "9999"})
    record("DELETE /api/downloads/{id}", "cancelled", job=give(jobs_in.running))
    record("DELETE /api/downloads/{id}/remove", "removed", job=give(_done))
    record("GET /api/download/{id}/file", "not yet", job=give(jobs_in.running))
    record("GET /api/thumbnails/{id}", "none", job=give(_done))


# --- what is asked of them -------------------------------------------------------------------------------------------


def test_examples_in_the_document_are_real_replies(recorded: list[Example]) -> None:
    if os.environ.get("WRITE_EXAMPLES"):
        text = json.dumps(recorded, ensure_ascii=False, indent=1)
        document.EXAMPLES.write_text(f"{text}\n", encoding="utf-8")
    assert stored() == recorded


def stored() -> list[Example]:
    examples: list[Example] = json.loads(document.EXAMPLES.read_text(encoding="utf-8"))
    return examples


def _described(example: Example) -> Any:
    return OPERATIONS[example["route"]]["responses"][example["status"]]["content"][JSON]["schema"]


def test_nothing_is_answered_that_is_not_documented() -> None:
    for example in stored():
        found = undocumented(example["reply"], _described(example))
        assert not found, (example["route"], example["name"], found)


def test_replies_keep_to_their_schemas() -> None:
    for example in stored():
        validator(_described(example)).validate(example["reply"])


def test_schemas_of_requests_refuse_what_the_service_refuses() -> None:
    for example in stored():
        if "request" in example:
            schema = OPERATIONS[example["route"]]["requestBody"]["content"][JSON]["schema"]
            assert validator(schema).is_valid(example["request"]) == (example["status"] != "400"), example


def test_every_json_reply_of_the_contracts_has_an_example() -> None:
    shown = {(example["route"], example["status"]) for example in stored()}
    for route, operation in OPERATIONS.items():
        has_json = JSON in operation["responses"].get("200", {}).get("content", {})
        if has_json and operation["security"] and route != "POST /api/info":  # which takes a source
            assert (route, "200") in shown, route
