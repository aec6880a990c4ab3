"""A playlist becomes one job an item, over HTTP."""

import time
from typing import Any

import pytest

from tests.e2e.running import Client, request, until
from tests.media import SourceServer

pytestmark = pytest.mark.e2e


def items_of(client: Client, parent: str) -> list[dict[str, Any]]:
    """None until it has been expanded."""
    return list(client.job(parent).get("items", []))


def test_a_feed_becomes_one_file_an_item_and_names_those_that_failed(client: Client, source: SourceServer) -> None:
    """Of its four episodes the third is the first once more, and the fourth does not exist."""
    parent = client.ended(client.create(source.url("feed/4"), name="my list"))

    assert (parent["status"], parent["name"], parent["progress"]) == ("done", "my list", 100)
    assert "download_url" not in parent
    counts = {name: parent[f"items_{name}"] for name in ("total", "done", "failed", "cancelled")}
    assert counts == {"total": 4, "done": 3, "failed": 1, "cancelled": 0}
    assert [item["playlist_index"] for item in parent["items"]] == [1, 2, 3, 4]
    assert [item["status"] for item in parent["items"]] == ["done", "done", "done", "error"]
    assert [(item["playlist_index"], item["error_code"]) for item in parent["failed_items"]] == [
        (4, "source.not_found")
    ]
    bodies = [request("GET", client.job(item["id"])["download_url"]).body for item in parent["items"][:3]]
    one, other = ((source.directory / path).read_bytes() for path in ("clip.mp4", "other/clip.mp4"))
    assert bodies == [one, other, one]


def test_a_page_with_two_videos_becomes_both(client: Client, source: SourceServer) -> None:
    """Its videos have no page of their own: they are fetched as the first and the second of this one."""
    parent = client.ended(client.create(source.url("two")))

    assert (parent["status"], parent["items_done"]) == ("done", 2)
    jobs = [client.job(item["id"]) for item in parent["items"]]
    bodies = [request("GET", job["download_url"]).body for job in jobs]
    assert bodies == [(source.directory / path).read_bytes() for path in ("clip.mp4", "other/clip.mp4")]
    assert {(job["is_playlist"], job["playlist_total"], job["playlist_id"]) for job in jobs} == {
        (True, 2, parent["id"])
    }


def test_items_are_rows_of_the_second_contract(client: Client, source: SourceServer) -> None:
    parent = client.create(source.url("two"))
    client.ended(parent)

    rows = {row["id"]: row for row in client.call("GET", "/api/downloads").json}
    wanted = {item["id"]: item["playlist_index"] for item in items_of(client, parent)}
    seen = {job_id: rows[job_id] for job_id in wanted}
    assert {job_id: row["playlist_index"] for job_id, row in seen.items()} == wanted
    assert {(row["is_playlist"], row["playlist_total"], row["status"]) for row in seen.values()} == {
        (True, 2, "completed")
    }
    assert (rows[parent]["status"], rows[parent]["playlist_total"]) == ("completed", 2)


def test_the_limit_is_kept_and_said(client: Client, source: SourceServer) -> None:
    parent = client.ended(client.create(source.url("feed/9"), playlist_limit=2))

    assert (parent["items_total"], parent["truncated"]) == (2, True)


def test_a_playlist_that_is_not_wanted_is_refused(client: Client, source: SourceServer) -> None:
    job = client.ended(client.create(source.url("feed/3"), playlist="false"))

    assert (job["status"], job["error_code"]) == ("error", "source.is_playlist")


def test_cancelling_a_playlist_cancels_the_rest(client: Client, source: SourceServer) -> None:
    parent = client.create(source.url("feed-of/clip.mp4?and=slow/clip.mp4%3Frate%3D4000"))
    until(
        lambda: items_of(client, parent),
        lambda items: [item["status"] for item in items] == ["done", "processing"],
        within_s=60,
    )

    assert client.call("DELETE", f"/api/downloads/{parent}").status == 200

    assert [item["status"] for item in items_of(client, parent)] == ["done", "error"]
    assert (client.job(parent)["status"], client.job(parent)["error"]) == ("error", "Cancelled")
    hits = source.hits.total()
    time.sleep(6)  # within five seconds nothing is fetched any more
    assert source.hits.total() == hits


def test_deleting_a_playlist_deletes_its_items_and_their_files(client: Client, source: SourceServer) -> None:
    parent = client.ended(client.create(source.url("two")))
    links = [client.job(item["id"])["download_url"] for item in parent["items"]]

    assert client.call("DELETE", f"/download/{parent['id']}").status == 200

    assert {client.call("GET", f"/download/{item['id']}").status for item in parent["items"]} == {404}
    assert {request("GET", link).status for link in links} == {404}


def test_a_held_reply_waits_for_all_items(client: Client, source: SourceServer) -> None:
    parent = client.create(source.url("two"))

    reply = client.call("GET", f"/async-response/{parent}").json

    assert (reply["status"], reply["data"]["items_done"]) == ("done", 2)
