"""`DELETE` in its forms: the first contract deletes, the second cancels or deletes."""

import dataclasses
import functools
import os
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from delete_download.settings import DeleteSettings
from reelhaul import http
from reelhaul.aws import client
from reelhaul.contracts import downloads, offline
from reelhaul.objects import MediaBucket
from reelhaul.remove import cancel, delete
from reelhaul.store import JobStore

logger = Logger(service="delete_download")
app = http.resolver(logger)


@dataclasses.dataclass(frozen=True, slots=True)
class Dependencies:
    store: JobStore
    bucket: MediaBucket


@functools.cache
def dependencies() -> Dependencies:
    settings = DeleteSettings.from_env(os.environ)
    return Dependencies(
        store=JobStore(client("dynamodb"), settings.table_name), bucket=MediaBucket(client("s3"), settings.bucket_name)
    )


@app.delete("/download")
def delete_named() -> dict[str, Any]:
    return _delete_download(None)


@app.delete("/download/<job_id>")
def delete_download(job_id: str) -> dict[str, Any]:
    return _delete_download(job_id)


@app.delete("/api/downloads/<job_id>")
def cancel_offline(job_id: str) -> dict[str, Any]:
    job = cancel(http.caller(app), job_id, store=dependencies().store)
    logger.info("job_cancelled", job_id=job.id, tenant=job.tenant, state=job.state)
    return offline.cancelled(job)


@app.delete("/api/downloads/<job_id>/remove")
def remove_offline(job_id: str) -> dict[str, Any]:
    _delete(job_id)
    return offline.removed()


def _delete_download(path_id: str | None) -> dict[str, Any]:
    event = app.current_event
    body = http.json_object(event, required=False)
    _delete(downloads.parse_deletion(path_id, http.query(event), body))
    return downloads.deleted()


def _delete(job_id: str) -> None:
    deps, tenant = dependencies(), http.caller(app)
    delete(tenant, job_id, store=deps.store, bucket=deps.bucket, log=logger.error)
    logger.info("job_deleted", job_id=job_id, tenant=tenant)


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
