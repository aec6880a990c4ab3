"""The downloader: one SQS message, one job. The dependencies are wired here, once per process, and nowhere else."""

import dataclasses
import functools
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from aws_lambda_powertools import Logger

from downloader import digest, kernel, politeness, transfer
from downloader.fetch import FetchRequest, Found, guarded_fetch, harden_parent, prepare_in_init
from downloader.outlet import Outlet
from downloader.site_access import SiteAccess
from downloader.worker import Worker
from reelhaul import aws
from reelhaul.errors import (
    InvalidRequest,
    MalformedMessage,
    NewerMessage,
    ServiceUnavailable,
    SiteUnreadable,
    SourceError,
    SourceUnsupported,
)
from reelhaul.jobs import Job, Progress
from reelhaul.measures import Measures
from reelhaul.queue import JobMessage, JobQueue
from reelhaul.settings import DownloaderSettings
from reelhaul.site_policy import SitePolicy
from reelhaul.sites.store import SiteStore
from reelhaul.sources import check_source
from reelhaul.store import JobStore

logger = Logger(service="downloader")
prepare_in_init()

_AGAIN_S = 10  # when AWS cannot be reached before a claim, or a record not be read, the message comes again after this


@dataclasses.dataclass(frozen=True, slots=True)
class Dependencies:
    """`queues` are those that feed this function, by their names."""

    queues: Mapping[str, JobQueue]
    worker: Worker


@functools.cache
def dependencies() -> Dependencies:
    settings = DownloaderSettings.from_env(os.environ)
    measures = Measures(settings.stack_name)
    walls = kernel.support()
    measures.worker_started(seccomp=walls.seccomp, landlock=walls.landlock)
    kernel.require(walls, seccomp=settings.require_seccomp)
    queue = JobQueue(aws.client("sqs"), settings.queue_url)
    sites = SiteStore(aws.client("dynamodb"), settings.table_name, aws.client("secretsmanager"), settings.sites_prefix)
    worker = Worker(
        store=JobStore(aws.client("dynamodb"), settings.table_name),
        queue=queue,
        s3=aws.client("s3"),
        bucket_name=settings.bucket_name,
        fetch=functools.partial(fetch, settings=settings, sites=sites),
        work_directory=Path(settings.work_directory),
        logger=logger,
        measures=measures,
        max_total_s=settings.max_total_s,
    )
    harden_parent()
    # Lambda sends this before it ends an environment with extensions, `reelhaul serve` when it is asked to stop.
    signal.signal(signal.SIGTERM, lambda *_: worker.interrupt())
    express = JobQueue(aws.client("sqs"), settings.express_queue_url)
    return Dependencies({_name(settings.queue_url): queue, _name(settings.express_queue_url): express}, worker)


def _name(queue: str) -> str:
    """Of a queue, by its URL or ARN."""
    return re.split(r"[/:]", queue)[-1]


def fetch(
    job: Job,
    *,
    directory: Path,
    deadline: float,
    on_progress: Callable[[Progress], None],
    stop: threading.Event,
    outlet: Outlet,
    settings: DownloaderSettings,
    sites: SiteStore,
) -> Found:
    """Fetch a job's media, see `guarded_fetch`, with what its tenant has set for the site that its URL is on.

    Also raises `SiteNotAllowed`, and `SourceUnsupported` for an address that should not have become a job. The site is
    judged again: the settings may have changed since the job came, and a playlist named its items itself.
    """
    try:
        check_source(job.url)
    except InvalidRequest as error:
        raise SourceUnsupported from error
    SitePolicy(allowed=settings.allowed_sites, denied=settings.denied_sites).check(job.url)
    access = _access(job, sites)
    request = FetchRequest(
        url=job.url,
        options=job.options,
        is_item=job.item is not None,
        entry=job.item.entry if job.item else None,
        max_bytes=settings.max_bytes,
        max_duration_s=settings.max_duration_s,
        max_total_s=settings.max_total_s,
        connections=politeness.connections(job, settings.source_connections),
        cookies=access.cookies,
        stream_above_bytes=transfer.part_bytes(1),
        pauses=digest.is_resumable(),
        resume=outlet.resume,
    )
    try:
        return guarded_fetch(
            request,
            directory=directory,
            deadline=deadline,
            allowed_origins=settings.allowed_origins,
            denied_sites=settings.denied_sites,
            on_progress=on_progress,
            stop=stop,
            log=logger.info,
            upstream=access.upstream,
            outlet=outlet,
        )
    except SourceError as error:
        raise access.explained(error) from error.__cause__


def _access(job: Job, sites: SiteStore) -> SiteAccess:
    try:
        return SiteAccess.to(sites.for_url(job.tenant, job.url))
    except SiteUnreadable:
        logger.exception("site_unreadable", job_id=job.id, tenant=job.tenant)  # no cause of it shows a value
        raise


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Handle an SQS event; what it reports as failed comes again, and after five times becomes a dead letter.

    Where no job can be taken the invocation itself fails: Lambda counts that, and the message comes back with all of
    its queue's time-out between, long enough for the alarm on the oldest one to come before any is dead.
    """
    dependencies()
    failed = [record["messageId"] for record in event["Records"] if not _handled(record, context)]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def _handled(record: dict[str, Any], context: Any) -> bool:
    ends_at = time.monotonic() + context.get_remaining_time_in_millis() / 1000
    try:
        message = JobMessage.parse(record["body"])
    except NewerMessage:  # a deploy is under way: by then there may be somebody who knows it
        logger.warning("message_newer", message_id=record["messageId"])
        return _again(record, after_s=_AGAIN_S)
    except MalformedMessage:
        logger.exception("message_malformed", message_id=record["messageId"], size=len(record["body"]))
        return _again(record, after_s=0)
    with logger.append_context_keys(
        job_id=message.job_id, tenant=message.tenant
    ):  # on every line until it is done with
        return _carried_out(message, record, ends_at=ends_at)


def _carried_out(message: JobMessage, record: dict[str, Any], *, ends_at: float) -> bool:
    try:
        dependencies().worker.run(message, ends_at=ends_at)
    except ServiceUnavailable:
        logger.exception("message_postponed", message_id=record["messageId"])
        return _again(record, after_s=_AGAIN_S)
    except Exception:  # unforeseen: logged in full, tried again soon, and after five times a dead letter
        logger.exception("message_broken", message_id=record["messageId"])
        return _again(record, after_s=_AGAIN_S)
    return True


def _again(record: dict[str, Any], *, after_s: int) -> bool:
    """Not handled: let the message come back soon rather than after the queue's whole visibility time-out."""
    try:
        dependencies().queues[_name(record["eventSourceARN"])].postpone(record["receiptHandle"], after_s)
    except ServiceUnavailable:
        logger.warning("message_left_to_its_time_out", message_id=record["messageId"])
    return False
