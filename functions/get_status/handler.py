"""`GET /download/{id}`, `GET /async-response/{id}`: how is my job? `GET /api/download/{id}/file`: where is its file?"""

import dataclasses
import functools
import os
import time
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.typing import LambdaContext

from get_status.waiting import wait_for_end
from reelhaul import http
from reelhaul.aws import client
from reelhaul.contracts import downloads, replies
from reelhaul.errors import FileNotFound, ReelhaulError
from reelhaul.jobs import Job, State
from reelhaul.links import Link, LinkSigner
from reelhaul.settings import ReadSettings
from reelhaul.store import JobStore

_MARGIN_S = 2  # of the invocation's time that is left for the reply


def _error_body(error: ReelhaulError, path: str) -> replies.Body:
    if path.startswith("/async-response/"):
        return downloads.async_error(error, replies.status_of(error))
    return replies.error_body(error)


logger = Logger(service="get_status")
app = http.resolver(logger, error_body=_error_body)


@dataclasses.dataclass(frozen=True, slots=True)
class Dependencies:
    store: JobStore
    links: LinkSigner
    hold_s: float


@functools.cache
def dependencies() -> Dependencies:
    settings = ReadSettings.from_env(os.environ)
    return Dependencies(
        store=JobStore(client("dynamodb"), settings.table_name),
        links=LinkSigner(client("secretsmanager"), settings.link_secret_arn, settings.bucket_name),
        hold_s=settings.hold_s,
    )


@app.get("/download/<job_id>")
def get_download(job_id: str) -> dict[str, Any]:
    job = dependencies().store.get(http.caller(app), job_id).seen_at(time.time())
    return downloads.shown(job, _link(job))


@app.get("/async-response/<job_id>")
def get_async_response(job_id: str) -> dict[str, Any]:
    deps = dependencies()
    remaining_s = app.lambda_context.get_remaining_time_in_millis() / 1000 - _MARGIN_S
    job = wait_for_end(http.caller(app), job_id, store=deps.store, patience_s=min(deps.hold_s, remaining_s))
    job = job.seen_at(time.time())
    return downloads.async_response(job, _link(job), http.output_url(app.current_event, job_id))


@app.get("/api/download/<job_id>/file")
def get_file(job_id: str) -> Response[str]:
    deps = dependencies()
    job = deps.store.get(http.caller(app), job_id).seen_at(time.time())
    link = _link(job)
    if link is None or job.stored is None or not deps.links.reaches(job.stored.key):
        raise FileNotFound
    return Response(307, body="", headers={"Location": link.url})


def _link(job: Job) -> Link | None:
    if job.state is not State.DONE or job.stored is None:
        return None
    return dependencies().links.sign(job.stored.key)


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
