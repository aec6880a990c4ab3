"""`POST /download` and `POST /api/download`: a job for a URL."""

import dataclasses
import functools
import os
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from reelhaul import http
from reelhaul.aws import client
from reelhaul.contracts import downloads, offline, requests
from reelhaul.express import ExpressLane
from reelhaul.jobs import Job
from reelhaul.options import DownloadRequest
from reelhaul.queue import JobQueue
from reelhaul.settings import SubmitSettings
from reelhaul.site_policy import SitePolicy
from reelhaul.store import IdempotentRequest, JobStore
from reelhaul.submit import submit

logger = Logger(service="create_download")
app = http.resolver(logger)


@dataclasses.dataclass(frozen=True, slots=True)
class Dependencies:
    store: JobStore
    queue: JobQueue
    express: ExpressLane
    retention_days: int
    max_retention_days: int
    max_playlist_items: int
    sites: SitePolicy


@functools.cache
def dependencies() -> Dependencies:
    settings = SubmitSettings.from_env(os.environ)
    store = JobStore(client("dynamodb"), settings.table_name)
    return Dependencies(
        store=store,
        queue=JobQueue(client("sqs"), settings.queue_url),
        express=ExpressLane(store, JobQueue(client("sqs"), settings.express_queue_url)),
        retention_days=settings.retention_days,
        max_retention_days=settings.max_retention_days,
        max_playlist_items=settings.max_playlist_items,
        sites=SitePolicy(allowed=settings.allowed_sites, denied=settings.denied_sites),
    )


@app.post("/download")
def create_download() -> dict[str, Any]:
    job = _submit(requests.parse_download)
    return downloads.accepted(job, http.output_url(app.current_event, job.id))


@app.post("/api/download")
def create_offline() -> dict[str, Any]:
    return offline.accepted(_submit(requests.parse_offline))


def _submit(parse: Callable[..., DownloadRequest]) -> Job:
    event, deps = app.current_event, dependencies()
    body = http.json_object(event)
    job = submit(
        parse(
            body,
            max_retention_days=deps.max_retention_days,
            max_playlist_items=deps.max_playlist_items,
            sites=deps.sites,
        ),
        tenant=http.caller(app),
        limits=http.limits(event),
        retention_days=deps.retention_days,
        store=deps.store,
        queue=deps.queue,
        express=deps.express,
        log=logger.error,
        idempotency=_idempotency(event, body),
    )
    logger.info("job_accepted", job_id=job.id, tenant=job.tenant)
    return job


def _idempotency(event: http.Event, body: dict[str, Any]) -> IdempotentRequest | None:
    key = requests.request_key(event.headers)
    return None if key is None else IdempotentRequest(key, requests.fingerprint(event.path, body))


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
