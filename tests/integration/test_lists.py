"""`GET /download` and `GET /api/downloads`."""

import dataclasses
import json
import time
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from list_downloads import listing
from reelhaul import items
from reelhaul.contracts import downloads, replies
from reelhaul.jobs import Job
from tests.conftest import Cloud
from tests.faults import refused
from tests.integration.conftest import Api
from tests.jobs_in import MEDIA, cancelled, done, failed, queued, running

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
     ({"status": "completed"}, "status"), ({"next_token": "?"}, "next_token"),
     ({"next_token": "x", "page_index": "0"}, "next_token")],
)  # fmt: skip
def test_a_bad_parameter_is_400(api: Api, query: dict[str, str], field: str) -> None:
    reply = api("GET", "/download", query=query)
    assert (reply.status, reply.body["field"], reply.body["code"]) == (400, field, "request.invalid")


# --- very long lists -------------------------------------------------------------------------------------------------


def wire_bytes(text: str) -> int:
    """What Lambda counts, in the least favourable of its runtimes."""
    return len(json.dumps({"statusCode": 200, "headers": {}, "body": text, "isBase64Encoded": False}))


def fill(cloud: Cloud, number: int, job: Job) -> None:
    """Many copies of `job`, written faster than one by one."""
    template = items.to_item(job)
    with boto3.resource("dynamodb").Table(cloud.table).batch_writer() as batch:
        for each in range(number):
            batch.put_item(Item=template | {"sk": f"{job.id[:-4]}{each:04d}"})


def long_named(name: str, *, title: str = "t") -> Job:
    return done(now=round(time.time(), 3), name=name, media=dataclasses.replace(MEDIA, title=title))


def test_a_reply_that_fits_shows_everything(api: Api, cloud: Cloud) -> None:
    fill(cloud, 20, long_named("n" * 100))
    assert "url" in api("GET", "/download", query={"count": "20"}).body["data"]["downloads"][0]


def test_a_reply_too_long_becomes_lean_before_it_becomes_short(
    api: Api, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(cloud, 20, long_named("n" * 200, title="t" * 300))
    monkeypatch.setattr(listing, "MAX_WIRE_BYTES", 20 * 1200)
    rows = api("GET", "/download", query={"count": "20"}).body["data"]["downloads"]
    assert len(rows) == 20
    assert all(row["download_url"] and row["name"] and "url" not in row for row in rows)


def test_what_does_not_fit_even_so_follows_after_the_token(
    api: Api, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(cloud, 20, long_named("n" * 200))
    monkeypatch.setattr(listing, "MAX_WIRE_BYTES", 8 * 1200)
    seen: list[str] = []
    query = {"count": "20"}
    while query is not None:
        reply = api("GET", "/download", query=query)
        assert len(json.dumps(reply.text)) <= 8 * 1200
        seen += ids(reply)
        token = reply.body["data"]["next_token"]
        if token is None:
            break
        query = {"count": "20", "next_token": token}
    assert len(seen) == len(set(seen)) == 20


def test_5000_finished_jobs_with_long_names_stay_below_lambdas_limit(api: Api, cloud: Cloud) -> None:
    """Names of 200 characters, titles of 300, links of a tenant with the longest name."""
    job = long_named("n" * 200, title="t" * 300)
    fill(cloud, 1, dataclasses.replace(job, tenant="t" * 40))
    [row] = api("GET", "/download", tenant="t" * 40).body["data"]["downloads"]
    assert 5000 * (wire_bytes(replies.dumps(downloads.lean(row))) + 1) < LAMBDA_REPLY_BYTES


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
    reply = api("GET", "/api/downloads", query={"limit": "1001"})
    assert (reply.status, reply.body["field"]) == (400, "limit")
