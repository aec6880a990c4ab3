"""`GET /updates`: what a page shows, held back until it is another."""

import dataclasses
import functools
import gzip
import json
import time
from base64 import b64decode
from collections.abc import Callable
from typing import Any

import pytest

from get_status.news import News, await_news
from reelhaul import aws, items, steps
from reelhaul.contracts import downloads, replies
from reelhaul.jobs import Job
from reelhaul.options import MAX_NAME_CHARS
from reelhaul.sources import MAX_URL_CHARS
from tests.conftest import Cloud
from tests.events import HttpRequest
from tests.faults import hooked, refused
from tests.integration.conftest import Api, Reply, Time
from tests.jobs_in import MEDIA, PROGRESS, cancelled, done, failed, queued, running, stored

Given = Callable[..., Job]
DAY_S = 86_400
LAMBDA_MAX_BYTES = 6 * 1024 * 1024


def shown(reply: Reply) -> dict[str, dict[str, Any]]:
    """The downloads by their ids, in the reply's order."""
    assert (reply.status, reply.headers["Content-Type"]) == (200, "application/json")
    return {row["id"]: row for row in reply.body["data"]["downloads"]}


def ask(api: Api, known: Reply | None = None, *, wait: int | None = None, tenant: str = "acme") -> Reply:
    headers = {} if known is None else {"if-none-match": known.headers["ETag"]}
    return api("GET", "/updates", query={} if wait is None else {"wait": str(wait)}, headers=headers, tenant=tenant)


def some(given: Given, number: int, make: Callable[..., Job], *, ago_s: float, **fields: Any) -> list[str]:
    """The ids of `number` jobs that begin so long ago, newest first."""
    begun = time.time() - ago_s
    return [given(make, now=round(begun + second / 10, 3), **fields).id for second in range(number)][::-1]


# --- what is shown ---------------------------------------------------------------------------------------------------


def test_who_knows_nothing_is_answered_at_once(api: Api, given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLD_S", "20")
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("it waits"))
    job = given(running)
    reply = ask(api)
    assert list(shown(reply)) == [job.id]
    assert reply.body == {"success": True, "data": reply.body["data"]}
    assert reply.body["data"].keys() == {"downloads", "total"}
    assert reply.headers["Cache-Control"] == "no-store"


def test_jobs_look_as_in_the_list_but_for_links(api: Api, given: Given) -> None:
    for make in (queued, running, done, failed, cancelled):
        given(make)
    listed = {row["id"]: row for row in api("GET", "/download").body["data"]["downloads"]}
    links = {"download_url", "expires_at"}
    without = {job_id: {name: row[name] for name in row.keys() - links} for job_id, row in listed.items()}
    assert shown(ask(api)) == without
    assert any(links <= row.keys() for row in listed.values())


def test_newest_are_shown_and_all_that_are_under_way(api: Api, given: Given) -> None:
    under_way = some(given, 3, running, ago_s=500)
    ended = some(given, 52, done, ago_s=400)
    newest = some(given, 2, queued, ago_s=100)
    reply = ask(api)
    assert list(shown(reply)) == [*newest, *ended[:48], *under_way]
    assert reply.body["data"]["total"] == 57


def test_nothing_of_another_tenant_is_shown(api: Api, given: Given) -> None:
    given(running, tenant="umbrella")
    assert ask(api).body == {"success": True, "data": {"downloads": [], "total": 0}}


def test_file_past_its_retention_is_shown_as_gone(api: Api, given: Given) -> None:
    job = given(done, now=time.time() - 7 * DAY_S - 5)
    row = shown(ask(api))[job.id]
    assert (row["status"], row["error_code"]) == ("error", "file.expired")


def test_no_key_for_links_is_read(api: Api, given: Given) -> None:
    given(done)
    with refused("secretsmanager", "GetSecretValue") as refusals:
        assert ask(api).status == 200
    assert refusals == []


def test_reply_is_compressed_for_those_who_can_read_it(api: Api, given: Given) -> None:
    some(given, 10, done, ago_s=100)
    plain, packed = ask(api), api("GET", "/updates", headers={"accept-encoding": "gzip, br"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(b64decode(packed.text)).decode() == plain.text
    assert packed.headers["ETag"] == plain.headers["ETag"]


def test_longest_reply_is_one_that_lambda_passes_on() -> None:
    wide = "\N{FILM FRAMES}"  # four bytes
    url = f"https://media.example/{wide * (MAX_URL_CHARS - 40)}"
    media = dataclasses.replace(MEDIA, title=wide * MAX_NAME_CHARS, thumbnail="https://media.example/" + "t" * 2000)
    job = done(url=url, name=wide * MAX_NAME_CHARS, callback_url=f"https://hook.example/{'h' * 2000}", media=media)
    text = replies.dumps(downloads.updates([downloads.view(job, None)] * 250, total=250))
    assert len(json.dumps({"body": text}, ensure_ascii=False).encode()) < LAMBDA_MAX_BYTES


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "field"),
    [({"wait": "21"}, "wait"), ({"wait": "-1"}, "wait"), ({"wait": "1.5"}, "wait"), ({"wait": ""}, "wait"),
     ({"wiat": "5"}, "wiat"), ({"count": "5"}, "count")],
)  # fmt: skip
def test_bad_parameter_is_400(api: Api, query: dict[str, str], field: str) -> None:
    reply = api("GET", "/updates", query=query)
    assert (reply.status, reply.body["field"], reply.body["code"]) == (400, field, "request.invalid")


def test_without_a_key_nothing_is_said(api: Api, given: Given) -> None:
    given(running)
    reply = ask(api, tenant="")
    assert (reply.status, reply.body["code"]) == (401, "auth.unauthorized")


def test_trouble_while_waiting_is_told(api: Api, given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    given(running)
    known = ask(api)
    monkeypatch.setenv("HOLD_S", "20")
    with refused("dynamodb", "Query"):
        reply = ask(api, known)
    assert (reply.status, reply.body["code"]) == (503, "service.unavailable")
    assert "ETag" not in reply.headers


def test_job_that_cannot_be_read_keeps_no_other_from_being_shown(
    api: Api, cloud: Cloud, given: Given, caplog: pytest.LogCaptureFixture
) -> None:
    made = some(given, 3, queued, ago_s=100)
    aws.client("dynamodb").update_item(
        TableName=cloud.table,
        Key=items.to_wire({"pk": items.partition("acme"), "sk": made[1]}),
        UpdateExpression="SET job = :text",
        ExpressionAttributeValues=items.to_wire({":text": "{"}),
    )
    assert list(shown(ask(api))) == [made[0], made[2]]
    assert caplog.messages == ["list_unreadable"]  # once, though two lists have it


# --- waiting ---------------------------------------------------------------------------------------------------------


def test_who_knows_it_all_is_told_so_once_the_wait_is_over(api: Api, given: Given) -> None:
    given(running)
    known = ask(api)
    reply = ask(api, known, wait=0)
    assert (reply.status, reply.headers["ETag"]) == (304, known.headers["ETag"])
    assert reply.text == ""
    assert "Content-Type" not in reply.headers


def test_nothing_is_not_compressed(api: Api) -> None:
    headers = {"if-none-match": ask(api).headers["ETag"], "accept-encoding": "gzip"}
    reply = api("GET", "/updates", headers=headers)
    assert (reply.status, reply.text) == (304, "")
    assert "Content-Encoding" not in reply.headers


def test_who_knows_something_else_is_answered_at_once(api: Api, cloud: Cloud, given: Given) -> None:
    job = given(running)
    known = ask(api)
    cloud.store.swap(job, steps.cancel(job, now=time.time()))
    assert shown(ask(api, known))[job.id]["error_code"] == "job.cancelled"


def test_reply_leaves_time_to_be_sent(api: Api, given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    given(running)
    known = ask(api)
    monkeypatch.setenv("HOLD_S", "20")
    request = HttpRequest(method="GET", path="/updates", headers={"if-none-match": known.headers["ETag"]})
    began = time.monotonic()
    assert api.send(request, remaining_ms=2_300).status == 304
    assert time.monotonic() - began < 15  # not the 20 s that it might have been held


class Waiting:
    """Somebody who knows how it is when this is made, and waits on a clock that only waiting moves on."""

    def __init__(self, cloud: Cloud) -> None:
        self.at = Time()
        self._begun_at = time.time()
        self._wait = functools.partial(
            await_news,
            "acme",
            store=cloud.store,
            report=lambda _: pytest.fail("a job is unreadable"),
            clock=self.at.clock,
            sleep=self.at.sleep,
            now=lambda: self._begun_at + self.at.now,
        )
        self._known = self._wait(is_known=lambda _: False, patience_s=0).etag

    def until(self, at_s: float, act: Callable[[], object]) -> News:
        """What is answered to who asks now where `act` happens at this time."""
        happened: list[object] = []

        def on_nap() -> None:
            if self.at.now >= at_s and not happened:
                happened.append(act() or True)

        self.at.on_nap = on_nap
        return self._wait(is_known=lambda etag: etag == self._known, patience_s=20)


def beat(cloud: Cloud, job: Job) -> Callable[[], object]:
    progress = dataclasses.replace(PROGRESS, downloaded_bytes=777)
    return lambda: cloud.store.swap(job, steps.beat(job, progress, now=time.time()))


def finish(cloud: Cloud, job: Job) -> Callable[[], object]:
    return lambda: cloud.store.swap(job, steps.complete(job, MEDIA, stored(job), now=time.time()))


def delete(cloud: Cloud, job: Job) -> Callable[[], object]:
    return lambda: cloud.store.delete(job, now=time.time())


@pytest.mark.parametrize("act", [beat, finish, delete])
@pytest.mark.parametrize("at_s", [0.5, 7.0])
def test_reply_is_held_back_until_a_job_moves_on(
    cloud: Cloud, given: Given, act: Callable[[Cloud, Job], Callable[[], object]], at_s: float
) -> None:
    given(done)
    job, waiting = given(running), Waiting(cloud)
    news = waiting.until(at_s, act(cloud, job))
    assert news.is_new
    assert at_s <= waiting.at.now <= at_s + 1.5
    rows = {row["id"]: row for row in json.loads(news.text)["data"]["downloads"]}
    assert len(rows) == 2 - (act is delete)
    assert job.id not in rows or (rows[job.id]["downloaded_bytes"], rows[job.id]["status"]) != (420, "processing")


def test_reply_is_held_back_until_there_is_another_job(cloud: Cloud, given: Given) -> None:
    waiting = Waiting(cloud)
    made: list[Job] = []
    news = waiting.until(3.0, lambda: made.append(given(queued)))
    assert news.is_new
    assert [row["id"] for row in json.loads(news.text)["data"]["downloads"]] == [made[0].id]
    assert waiting.at.now < 4.5


def test_reply_is_held_back_until_a_file_expires(cloud: Cloud, given: Given) -> None:
    given(done, now=round(time.time() - 7 * DAY_S + 6, 3))
    waiting = Waiting(cloud)
    news = waiting.until(99, lambda: None)
    assert news.is_new
    assert json.loads(news.text)["data"]["downloads"][0]["error_code"] == "file.expired"
    assert 6 <= waiting.at.now + 1 < 9


def test_change_that_neither_counts_nor_is_under_way_is_seen_all_the_same(cloud: Cloud, given: Given) -> None:
    """One ended job goes and another comes, between two looks."""
    job, waiting = given(failed), Waiting(cloud)

    def swap() -> None:
        cloud.store.delete(job, now=time.time())
        given(failed)

    news = waiting.until(2.0, swap)
    assert news.is_new
    assert waiting.at.now < 9
    assert job.id not in news.text


def test_another_tenants_change_is_no_news(cloud: Cloud, given: Given) -> None:
    given(running)
    other, waiting = given(running, tenant="umbrella"), Waiting(cloud)
    news = waiting.until(1.0, finish(cloud, other))
    assert not news.is_new
    assert waiting.at.now == pytest.approx(20)


def test_waiting_reads_little_while_nothing_happens(cloud: Cloud, given: Given) -> None:
    given(done)
    waiting = Waiting(cloud)
    queries: list[object] = []
    with hooked("before-call", "dynamodb", "Query", lambda **call: queries.append(call["params"])):
        assert not waiting.until(99, lambda: None).is_new
    looks = len(waiting.at.naps) + 1
    assert 20 < looks < 40  # not a busy loop
    assert len(queries) == 2 * looks + 4  # every five seconds the newest are read anew
