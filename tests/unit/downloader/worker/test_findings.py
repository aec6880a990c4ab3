"""What a worker makes of what was found: files beside the medium, and playlists."""

import hashlib
import json
import time
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from downloader.fetch import FetchedExtra, FoundPlaylist, Inspection
from downloader.worker import Worker
from reelhaul import aws, steps
from reelhaul.findings import Entry
from reelhaul.jobs import MAX_ATTEMPTS, PLAYLIST_LIMIT, Job, Playlist, PlaylistItem, State, StoredExtra
from reelhaul.limits import Limits
from tests.conftest import Cloud
from tests.faults import hooked, meanwhile, refused
from tests.jobs_in import queued
from tests.unit.downloader.worker.working import CONTENT, Fetching, now_in, run

# --- what comes beside the medium ------------------------------------------------------------------------------------


def subtitles(directory: Path) -> FetchedExtra:
    path = directory / "subtitles-0.vtt"
    path.write_text("WEBVTT\n")
    return FetchedExtra(kind="subtitles", path=path, extension="vtt", content_type="text/vtt", language="pt-BR")


def thumbnail(directory: Path) -> FetchedExtra:
    path = directory / "thumbnail.jpg"
    path.write_bytes(b"\xff\xd8\xff")
    return FetchedExtra(kind="thumbnail", path=path, extension="jpg", content_type="image/jpeg")


def test_extras_are_stored_beside_the_media_under_names_of_ours(
    worker: Worker, cloud: Cloud, job: Job, fetching: Fetching
) -> None:
    fetching.extras = [subtitles, thumbnail]

    run(worker, job)

    done = now_in(cloud, job)
    prefix = f"acme/{job.id}/1"
    assert sorted(cloud.object_keys()) == [f"{prefix}.mp4", f"{prefix}.subtitles.pt-BR.vtt", f"{prefix}.thumbnail.jpg"]
    assert done.extras[0] == StoredExtra(
        kind="subtitles", key=f"{prefix}.subtitles.pt-BR.vtt", size=7, language="pt-BR", content_type="text/vtt",
        checksum_sha256=hashlib.sha256(b"WEBVTT\n").hexdigest(),
    )  # fmt: skip
    found = aws.client("s3").head_object(Bucket=cloud.bucket, Key=done.extras[0].key)
    assert found["ContentDisposition"] == 'attachment; filename="my video.pt-BR.vtt"'


def test_an_extra_that_cannot_be_stored_is_tried_again_with_all_the_rest(
    worker: Worker, cloud: Cloud, job: Job, fetching: Fetching
) -> None:
    """A job that is done has all that was found: half of it would be half a lie."""
    fetching.extras = [thumbnail]
    sent: list[str] = []

    def second_fails(params: Any, **_: Any) -> None:
        sent.append(params["url_path"])
        if len(sent) >= 2:
            raise ClientError({"Error": {"Code": "InternalError"}}, "PutObject")

    with hooked("before-call", "s3", "PutObject", second_fails):
        run(worker, job)

    assert now_in(cloud, job).state is State.QUEUED
    assert cloud.object_keys() == []


# --- playlists -------------------------------------------------------------------------------------------------------


def a_list(number: int = 3, *, truncated: bool = False) -> FoundPlaylist:
    entries = [Entry(url=f"https://media.example/{index}", title=f"Part {index}") for index in range(1, number + 1)]
    return FoundPlaylist(title="A list", entries=tuple(entries), truncated=truncated)


def items_of(cloud: Cloud, job: Job) -> list[Job]:
    return list(cloud.store.items_of(job.tenant, job.id))


def test_a_playlist_becomes_jobs_of_its_items(worker: Worker, cloud: Cloud, job: Job, fetching: Fetching) -> None:
    fetching.found = a_list(truncated=True)

    run(worker, job)

    expanded = now_in(cloud, job)
    playlist = Playlist(title="A list", total=3, truncated=True, truncated_by=PLAYLIST_LIMIT)
    assert (expanded.state, expanded.playlist) == (State.EXPANDED, playlist)
    assert {item.state for item in items_of(cloud, job)} == {State.QUEUED}
    assert {json.loads(body)["job_id"] for body in cloud.messages()} == {item.id for item in items_of(cloud, job)}
    assert cloud.object_keys() == []


def limited(cloud: Cloud, limits: Limits) -> Job:
    made = queued(now=time.time(), limits=limits)
    cloud.store.create(made)
    return made


def test_a_playlist_is_cut_to_what_the_day_allows_and_says_so(worker: Worker, cloud: Cloud, fetching: Fetching) -> None:
    job = limited(cloud, Limits(max_jobs_per_day=3))
    fetching.found = a_list(5)

    run(worker, job)

    playlist = Playlist(title="A list", total=2, truncated=True, truncated_by="limit.jobs_per_day")
    assert now_in(cloud, job).playlist == playlist
    assert [item.url for item in items_of(cloud, job)[::-1]] == [f"https://media.example/{index}" for index in (2, 1)]
    assert {item.limits for item in items_of(cloud, job)} == {job.limits}
    assert cloud.store.usage("acme", now=time.time()).jobs_today == 3


def test_a_playlist_that_the_day_allows_no_item_of_fails_with_the_limits_code(
    worker: Worker, cloud: Cloud, fetching: Fetching
) -> None:
    job = limited(cloud, Limits(max_jobs_per_day=1))
    fetching.found = a_list(5)

    run(worker, job)

    ended = now_in(cloud, job)
    assert (ended.state, ended.error_code, ended.attempts) == (State.FAILED, "limit.jobs_per_day", 1)
    assert items_of(cloud, job) == []


def test_a_worker_that_takes_a_playlist_over_makes_the_rest_of_its_items_and_no_more(
    worker: Worker, cloud: Cloud, fetching: Fetching
) -> None:
    job = limited(cloud, Limits(max_jobs_per_day=13))
    fetching.found = a_list(20)
    written: list[str] = []

    def all_but_some_fail(params: Any, **_: Any) -> None:
        written.append(params["url_path"])
        if len(written) > 1 + 5:  # what is granted, and some of the items
            raise ClientError({"Error": {"Code": "InternalError"}}, "TransactWriteItems")

    with hooked("before-call", "dynamodb", "TransactWriteItems", all_but_some_fail):
        run(worker, job)
    assert len(items_of(cloud, job)) == 5

    run(worker, job)

    assert now_in(cloud, job).playlist == Playlist(
        title="A list", total=12, truncated=True, truncated_by="limit.jobs_per_day"
    )
    assert len(items_of(cloud, job)) == 12
    assert cloud.store.usage("acme", now=time.time()).jobs_today == 13


def test_a_job_whose_turn_comes_after_the_days_bytes_are_used_up_ends_with_the_limits_code(
    worker: Worker, cloud: Cloud, fetching: Fetching
) -> None:
    limits = Limits(max_bytes_per_day=len(CONTENT))
    first, second = limited(cloud, limits), limited(cloud, limits)

    run(worker, first)
    run(worker, second)

    assert now_in(cloud, first).state is State.DONE
    ended = now_in(cloud, second)
    assert (ended.state, ended.error_code, ended.attempts) == (State.FAILED, "limit.bytes_per_day", 0)
    assert len(fetching.directories) == 1


def test_items_that_ended_before_their_playlist_was_written_are_counted(
    worker: Worker, cloud: Cloud, job: Job, fetching: Fetching
) -> None:
    fetching.found = a_list(1)

    def ended() -> None:
        [item] = items_of(cloud, job)
        cloud.store.swap(item, steps.cancel(item, now=time.time()))

    with meanwhile("sqs", "SendMessageBatch", ended):
        run(worker, job)

    assert now_in(cloud, job).state is State.DONE


def test_a_playlist_cancelled_while_it_is_expanded_starts_none_of_its_items(
    worker: Worker, cloud: Cloud, job: Job, fetching: Fetching
) -> None:
    fetching.found = a_list(2)

    def cancel() -> None:
        cloud.store.change(job.tenant, job.id, lambda seen: steps.cancel(seen, now=time.time()))

    with meanwhile("sqs", "SendMessageBatch", cancel):
        run(worker, job)
    fetching.found = None
    for item in items_of(cloud, job):
        run(worker, item)

    assert now_in(cloud, job).state is State.CANCELLED
    assert {item.state for item in items_of(cloud, job)} == {State.CANCELLED}
    assert cloud.object_keys() == []


def test_a_list_within_a_list_is_not_expanded(worker: Worker, cloud: Cloud, fetching: Fetching) -> None:
    parent = queued(now=time.time())
    cloud.store.create(parent)
    item = queued(now=time.time(), item=PlaylistItem(parent_id=parent.id, index=1, total=1))
    cloud.store.create(item)
    fetching.found = a_list()

    run(worker, item)

    assert now_in(cloud, item).error_code == "source.is_playlist"
    assert cloud.store.total("acme") == 2


def test_items_that_cannot_be_stored_bring_the_playlist_back(
    worker: Worker, cloud: Cloud, job: Job, fetching: Fetching
) -> None:
    fetching.found = a_list()
    with refused("dynamodb", "TransactWriteItems"):
        run(worker, job)
    assert (now_in(cloud, job).state, now_in(cloud, job).untidy) == (State.QUEUED, True)  # some may have been

    run(worker, job)

    assert now_in(cloud, job).state is State.EXPANDED
    assert len(items_of(cloud, job)) == 3


def test_an_answer_that_nobody_asked_for_is_a_crash(worker: Worker, cloud: Cloud, job: Job, fetching: Fetching) -> None:
    fetching.found = Inspection(url=job.url, title="")
    for _ in range(MAX_ATTEMPTS):
        run(worker, job)
    assert now_in(cloud, job).error_code == "job.crashed"
