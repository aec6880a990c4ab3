"""`GET /download` and `GET /api/downloads`."""

import dataclasses
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pytest
from hypothesis import given as for_any
from hypothesis import strategies as st

from list_downloads import fitting, handler, listing, shapes
from reelhaul import aws, items
from reelhaul.contracts import downloads, offline, replies
from reelhaul.jobs import Job, State
from reelhaul.links import AccessKey, Link
from tests.conftest import Cloud
from tests.faults import hooked, refused
from tests.integration.conftest import Api
from tests.jobs_in import MEDIA, cancelled, done, extra, failed, in_state, queued, running

Given = Callable[..., Job]
LAMBDA_REPLY_BYTES = 6 * 1024 * 1024


def some(given: Given, number: int, make: Callable[..., Job] = queued, **fields: Any) -> list[str]:
    """The ids of `number` new jobs, newest first."""
    now = time.time() - 100
    return [given(make, now=round(now + second, 3), **fields).id for second in range(number)][::-1]


def ids(reply: Any) -> list[str]:
    return [row["id"] for row in reply.body["data"]["downloads"]]


def test_an_empty_list(api: Api) -> None:
    assert api("GET", "/download").text == '{"success":true,"data":{"downloads":[],"total":0,"next_token":null}}'
    assert api("GET", "/api/downloads").text == "[]"


def test_the_list_shows_50_jobs_newest_first_unless_told_otherwise(api: Api, given: Given) -> None:
    made = some(given, 52)
    reply = api("GET", "/download")
    assert ids(reply) == made[:50]
    assert reply.body["data"]["total"] == 52


def test_page_numbers_and_tokens_lead_to_the_same_pages(api: Api, given: Given) -> None:
    made, token = some(given, 7), None
    for page in range(4):
        numbered = api("GET", "/download", query={"count": "2", "page_index": str(page)})
        by_token = api("GET", "/download", query={"count": "2"} | ({"next_token": token} if token else {}))
        assert ids(numbered) == ids(by_token) == made[2 * page : 2 * page + 2]
        token = by_token.body["data"]["next_token"]
    assert token is None


def test_a_page_number_is_walked_to_however_deep(api: Api, given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "_STRIDE", 2)
    made = some(given, 9)
    assert ids(api("GET", "/download", query={"count": "3", "page_index": "2"})) == made[6:9]


@pytest.mark.parametrize("page_index", ["1", "5", "999999999"])
def test_a_page_beyond_the_end_is_empty(api: Api, given: Given, page_index: str) -> None:
    some(given, 2)
    reply = api("GET", "/download", query={"count": "2", "page_index": page_index})
    assert (reply.status, reply.body["data"]) == (200, {"downloads": [], "total": 2, "next_token": None})


def test_a_status_filters_rows_and_total(api: Api, given: Given) -> None:
    done_ids, failed_ids = some(given, 2, done), some(given, 3, failed)
    under_way = some(given, 1, running)
    for status, wanted in {"done": done_ids, "error": failed_ids, "processing": under_way}.items():
        reply = api("GET", "/download", query={"status": status})
        assert sorted(ids(reply)) == sorted(wanted)
        assert reply.body["data"]["total"] == len(wanted)


def test_only_done_rows_have_links(api: Api, given: Given) -> None:
    job = given(done)
    given(failed)
    rows = {row["id"]: row for row in api("GET", "/download").body["data"]["downloads"]}
    assert [job_id for job_id, row in rows.items() if "download_url" in row] == [job.id]


def test_a_list_without_done_jobs_does_not_read_the_signing_key(api: Api, given: Given) -> None:
    given(queued)
    with refused("secretsmanager", "GetSecretValue") as refusals:
        assert api("GET", "/download").status == 200
    assert refusals == []


def test_lists_show_nobody_elses_jobs(api: Api, given: Given) -> None:
    given(done, tenant="umbrella")
    assert ids(api("GET", "/download")) == []
    assert api("GET", "/api/downloads").body == []


@pytest.mark.parametrize(
    ("query", "field"),
    [({"count": "0"}, "count"), ({"count": "5001"}, "count"), ({"page_index": "-1"}, "page_index"),
     ({"status": "completed"}, "status"), ({"next_token": "?"}, "next_token"), ({"next_token": ""}, "next_token"),
     ({"next_token": "x", "page_index": "0"}, "next_token"), ({"limit": "5"}, "limit"), ({"stauts": "done"}, "stauts")],
)  # fmt: skip
def test_a_bad_parameter_is_400(api: Api, query: dict[str, str], field: str) -> None:
    reply = api("GET", "/download", query=query)
    assert (reply.status, reply.body["field"], reply.body["code"]) == (400, field, "request.invalid")
    assert field in reply.body["message"]


def test_a_job_that_cannot_be_read_keeps_no_other_from_being_shown(
    api: Api, cloud: Cloud, given: Given, caplog: pytest.LogCaptureFixture
) -> None:
    made = some(given, 3)
    spoil(cloud, "acme", made[1])
    assert ids(api("GET", "/download")) == [made[0], made[2]]
    assert [row["id"] for row in api("GET", "/api/downloads").body] == [made[0], made[2]]
    assert caplog.messages == ["list_unreadable"] * 2


def spoil(cloud: Cloud, tenant: str, job_id: str) -> None:
    """Damage the record of a job."""
    aws.client("dynamodb").update_item(
        TableName=cloud.table,
        Key=items.to_wire({"pk": items.partition(tenant), "sk": job_id}),
        UpdateExpression="SET job = :text",
        ExpressionAttributeValues=items.to_wire({":text": "{"}),
    )


# --- tokens ----------------------------------------------------------------------------------------------------------


def first_token(api: Api, **query: str) -> str:
    token = api("GET", "/download", query={"count": "1"} | query).body["data"]["next_token"]
    assert token
    return str(token)


def follow(api: Api, token: str, *, tenant: str = "acme", **query: str) -> Any:
    return api("GET", "/download", query={"next_token": token} | query, tenant=tenant)


def assert_refused(reply: Any, message: str) -> None:
    assert (reply.status, reply.body["field"], reply.body["code"]) == (400, "next_token", "request.invalid")
    assert reply.body["message"] == message


def test_another_tenants_token_is_refused_like_any_text(api: Api, given: Given) -> None:
    some(given, 2)
    some(given, 2, tenant="umbrella")
    token = first_token(api)
    assert_refused(follow(api, token, tenant="umbrella"), "next_token is not one of ours.")
    assert follow(api, token, tenant="umbrella").text == follow(api, "nonsense", tenant="umbrella").text


def test_a_token_is_for_the_status_that_it_was_made_for(api: Api, given: Given) -> None:
    some(given, 2, done)
    token = first_token(api, status="done")
    message = "next_token belongs to a listing with another status."
    assert_refused(follow(api, token, status="error"), message)
    assert_refused(follow(api, token), message)
    assert follow(api, token, status="done").status == 200


def rotate(cloud: Cloud, key_id: str) -> None:
    key = AccessKey(key_id, f"the secret of {key_id}")
    aws.client("secretsmanager").put_secret_value(SecretId=cloud.link_secret, SecretString=key.to_secret())


def test_a_list_that_is_being_read_survives_one_rotation_of_the_key(api: Api, cloud: Cloud, given: Given) -> None:
    made = some(given, 3)
    token = first_token(api)
    rotate(cloud, "AKIANEXT")
    handler.dependencies.cache_clear()  # another process, which knows the new key alone
    assert ids(follow(api, token)) == made[1:]
    rotate(cloud, "AKIATHIRD")
    handler.dependencies.cache_clear()
    assert_refused(follow(api, token), "next_token is not one of ours.")


def test_a_token_made_with_a_key_newer_than_ours_is_followed(api: Api, cloud: Cloud, given: Given) -> None:
    made = some(given, 3)
    first_token(api)
    ours = handler.dependencies()
    rotate(cloud, "AKIANEXT")
    handler.dependencies.cache_clear()
    token = first_token(api)
    handler.dependencies.cache_clear()
    with mock.patch.object(handler, "dependencies", return_value=ours):
        assert ids(follow(api, token)) == made[1:]


def test_a_token_costs_the_same_at_any_depth(api: Api, cloud: Cloud) -> None:
    fill(cloud, 400, queued(now=round(time.time(), 3)))
    costs: list[tuple[int, int]] = []
    query = {"count": "50"}
    while query:
        with counted_queries() as read:
            token = api("GET", "/download", query=query).body["data"]["next_token"]
        costs.append((len(read), sum(read)))
        query = {"count": "50", "next_token": token} if token else {}
    assert len(costs) == 8
    assert set(costs[:-1]) == {costs[0]}
    assert costs[-1] <= costs[0]


def test_the_total_is_known_without_reading_the_jobs(api: Api, cloud: Cloud) -> None:
    fill(cloud, 400, queued(now=round(time.time(), 3)))
    with counted_queries() as read:
        assert api("GET", "/download", query={"count": "1"}).body["data"]["total"] == 400
    assert sum(read) < 20


@contextmanager
def counted_queries() -> Iterator[list[int]]:
    """How many items each query read."""
    read: list[int] = []

    def count(parsed: dict[str, Any], **_: Any) -> None:
        read.append(parsed["ScannedCount"])

    with hooked("after-call", "dynamodb", "Query", count):
        yield read


# --- very long lists -------------------------------------------------------------------------------------------------


def wire_bytes(text: str) -> int:
    """What Lambda counts, in the least favourable of its runtimes."""
    return len(json.dumps({"statusCode": 200, "headers": {}, "body": text, "isBase64Encoded": False}))


def fill(cloud: Cloud, number: int, job: Job) -> list[str]:
    """Many copies of `job`, written and counted faster than one by one. Their ids, newest first."""
    template = items.to_item(job)
    made = [f"{job.id[:-4]}{each:04d}" for each in range(number)]
    puts = [{"PutRequest": {"Item": items.to_wire(template | {"sk": job_id})}} for job_id in made]
    for start in range(0, number, 25):
        aws.client("dynamodb").batch_write_item(RequestItems={cloud.table: puts[start : start + 25]})
    counter = {"pk": items.counts_partition(job.tenant), "sk": "0", items.STATUSES[job.state]: number}
    aws.client("dynamodb").put_item(TableName=cloud.table, Item=items.to_wire(counter))
    return made[::-1]


def long_named(name: str, *, title: str = "t", **fields: Any) -> Job:
    return done(now=round(time.time(), 3), name=name, media=dataclasses.replace(MEDIA, title=title), **fields)


def test_a_reply_that_fits_shows_everything(api: Api, cloud: Cloud) -> None:
    job = long_named("n" * 100)
    fill(cloud, 20, job)
    [row, *_] = api("GET", "/download", query={"count": "20"}).body["data"]["downloads"]
    assert row.keys() == downloads.view(job, Link("https://link", 0)).keys()


def test_a_reply_too_long_becomes_lean_before_it_becomes_short(
    api: Api, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(cloud, 20, long_named("n" * 200, title="t" * 300))
    whole, lean, least = (rows_in(api, monkeypatch, room) for room in (20 * 3000, 20 * 1000, 20 * 760))
    assert len(whole) == len(lean) == len(least) == 20
    assert {"title", "url", "filesize"} <= whole[0].keys()
    assert lean[0].keys() == {
        "id", "name", "status", "created_at", "download_url", "progress", "downloaded_bytes", "filesize", "duration",
        "attempts",
    }  # fmt: skip
    assert least[0].keys() == {"id", "name", "status", "created_at", "download_url"}


def rows_in(api: Api, monkeypatch: pytest.MonkeyPatch, room: int) -> list[dict[str, Any]]:
    monkeypatch.setattr(fitting, "MAX_WIRE_BYTES", room)
    reply = api("GET", "/download", query={"count": "20"})
    assert len(json.dumps(reply.text)) <= room + 200
    rows: list[dict[str, Any]] = reply.body["data"]["downloads"]
    return rows


@pytest.mark.parametrize("number", [20, 250])  # the longer one is judged by a sample
def test_what_does_not_fit_even_so_follows_after_the_token(
    api: Api, cloud: Cloud, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    made = fill(cloud, number, long_named("n" * 200))
    monkeypatch.setattr(fitting, "MAX_WIRE_BYTES", number * 400)
    seen: list[str] = []
    query = {"count": str(number)}
    while query:
        reply = api("GET", "/download", query=query)
        assert len(json.dumps(reply.text)) <= number * 400 + 200
        seen += ids(reply)
        token = reply.body["data"]["next_token"]
        query = {"count": str(number), "next_token": token} if token else {}
    assert seen == made


def test_a_row_longer_than_a_whole_reply_is_shown_all_the_same(
    api: Api, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a list could never be read past it."""
    made = fill(cloud, 3, long_named("n" * 200))
    monkeypatch.setattr(fitting, "MAX_WIRE_BYTES", 10)
    assert ids(api("GET", "/download")) == made[:1]


@pytest.mark.parametrize(("letter", "rows"), [("n", 5000), ("文", 2500)])
def test_5000_finished_jobs_with_long_names_stay_below_lambdas_limit(cloud: Cloud, letter: str, rows: int) -> None:
    """Names and titles as long as they may be, links of a tenant with the longest name."""
    jobs = [long_named(letter * 300, title=letter * 300, tenant="t" * 40)] * 5000
    sign = handler.dependencies().links.sign
    text, shown = fitting.fitted(jobs, shapes.whole(sign), shapes.lean(sign), shapes.guaranteed(sign))
    assert wire_bytes(text) < LAMBDA_REPLY_BYTES - 32 * 1024
    assert len(json.loads(text)) == shown >= rows
    assert text.count("X-Amz-Signature") == shown


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("shape", [shapes.lean, shapes.guaranteed])
def test_shorter_rows_say_the_same_as_whole_ones(state: State, shape: Callable[..., shapes.Shape]) -> None:
    job = in_state(state)

    def sign(key: str) -> Link:
        return Link(f"https://link/{key}", 0)

    short, whole = shape(sign)(job), shapes.whole(sign)(job)
    assert short == {name: whole[name] for name in short}
    assert {"id", "name", "status", "created_at"} <= short.keys()
    assert short.keys() & {"download_url", "error"} == whole.keys() & {"download_url", "error"}


@for_any(text=st.text(st.characters() | st.sampled_from('"\\\x7f\n\ud800文😀')))
def test_what_a_text_takes_on_the_wire_is_known_to_the_byte(text: str) -> None:
    body = replies.dumps([text])
    assert fitting.wire_bytes(body) == len(json.dumps(body)) - 2


# --- the second contract ---------------------------------------------------------------------------------------------


def test_the_second_contracts_list_is_a_bare_array_newest_first(api: Api, given: Given) -> None:
    made = some(given, 3)
    reply = api("GET", "/api/downloads")
    assert [row["id"] for row in reply.body] == made
    assert reply.headers["Content-Type"] == "application/json"


def test_the_second_contracts_list_speaks_its_own_words(api: Api, given: Given) -> None:
    job, other = given(done, name="mine"), given(cancelled)
    rows = {row["id"]: row for row in api("GET", "/api/downloads").body}
    assert (rows[job.id]["status"], rows[job.id]["filename"]) == ("completed", f"mine__{job.id}.mp4")
    assert rows[other.id]["status"] == "cancelled"


def test_the_second_contracts_limit(api: Api, given: Given) -> None:
    made = some(given, 3)
    assert [row["id"] for row in api("GET", "/api/downloads", query={"limit": "2"}).body] == made[:2]
    for query in ({"limit": "1001"}, {"limit": "0"}, {"limit": "x"}):
        reply = api("GET", "/api/downloads", query=query)
        assert (reply.status, reply.body["field"]) == (400, "limit")
    reply = api("GET", "/api/downloads", query={"count": "5"})
    assert (reply.status, reply.body["field"]) == (400, "count")


def with_thumbnail(address: str) -> Job:
    return done(now=round(time.time(), 3), media=dataclasses.replace(MEDIA, thumbnail=address))


@pytest.mark.parametrize(("length", "shown"), [(2000, 2000), (8000, 0)])
def test_in_the_second_contracts_list_addresses_of_external_thumbnails_give_way_first(length: int, shown: int) -> None:
    text, rows = listing.listed_offline([with_thumbnail("t" * length)] * 1000, now=time.time())
    assert wire_bytes(text) < LAMBDA_REPLY_BYTES
    assert len(json.loads(text)) == rows == 1000
    assert {len(row["thumbnail"]) for row in json.loads(text)} == {shown}
    assert json.loads(text)[0].keys() == offline.row(queued()).keys()


def test_a_thumbnail_of_our_own_never_gives_way() -> None:
    job = done(extras=(extra(queued()),))
    assert shapes.offline_without_external_thumbnail(job)["thumbnail"] == f"/api/thumbnails/{job.id}"


def test_of_rows_that_are_long_all_the_same_the_oldest_are_left_out_and_that_is_logged(
    api: Api, cloud: Cloud, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made = fill(cloud, 20, with_thumbnail(""))
    monkeypatch.setattr(fitting, "MAX_WIRE_BYTES", 10_000)
    rows = api("GET", "/api/downloads").body
    assert 5 < len(rows) < 20
    assert [row["id"] for row in rows] == made[: len(rows)]
    assert caplog.messages == ["list_cut_to_fit"]
