"""`GET /download/{id}`, `GET /async-response/{id}`: how is my job?

`GET /updates`: how are all that a page shows, and what is new among them?

`GET /api/download/{id}/file`, `GET /api/thumbnails/{id}`: where is its file, where its image?
"""

import dataclasses
import functools
import os
import time
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.typing import LambdaContext

from get_status.news import await_news
from get_status.waiting import wait_for_end
from reelhaul import http
from reelhaul.aws import client
from reelhaul.contracts import downloads, replies
from reelhaul.errors import FileNotFound, ReelhaulError
from reelhaul.jobs import Job, State
from reelhaul.links import Link, LinkSigner, signer_of
from reelhaul.names import curl_disposition
from reelhaul.settings import ReadSettings
from reelhaul.store import JobStore, Unreadable

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
        links=signer_of(settings, client("secretsmanager")),
        hold_s=settings.hold_s,
    )


@app.get("/download/<job_id>")
def get_download(job_id: str) -> dict[str, Any]:
    job = dependencies().store.get(http.caller(app), job_id).seen_at(time.time())
    return downloads.shown(_detailed(job))


@app.get("/async-response/<job_id>")
def get_async_response(job_id: str) -> dict[str, Any]:
    deps = dependencies()
    job = wait_for_end(http.caller(app), job_id, store=deps.store, patience_s=_patience_s(deps.hold_s))
    job = job.seen_at(time.time())
    row = _detailed(job) if job.state is State.DONE else {}
    return downloads.async_response(job, row, http.output_url(app.current_event, job_id))


@app.get("/updates", compress=True)
def get_updates() -> Response[str]:
    deps = dependencies()
    wait_s = downloads.parse_wait(http.parameters(app.current_event, "wait"))
    news = await_news(
        http.caller(app),
        store=deps.store,
        is_known=functools.partial(http.has_already, app.current_event),
        patience_s=_patience_s(min(wait_s, deps.hold_s)),
        report=_report,
    )
    headers = {"ETag": news.etag}
    if not news.is_new:
        return Response(304, headers=headers)
    return Response(200, "application/json", news.text, headers=headers)


@app.get("/api/download/<job_id>/file")
def get_file(job_id: str) -> Response[str]:
    links = dependencies().links
    job = dependencies().store.get(http.caller(app), job_id).seen_at(time.time())
    if job.state is not State.DONE or job.stored is None or not links.reaches(job.stored.key):
        raise FileNotFound
    agent = app.current_event.headers.get("user-agent") or ""
    disposition = curl_disposition(job.filename) if agent.startswith("curl/") else None
    key = job.stored.key
    return _redirect(links.sign(key) if disposition is None else links.sign_as(key, disposition=disposition))


@app.get("/api/thumbnails/<job_id>")
def get_thumbnail(job_id: str) -> Response[str]:
    links = dependencies().links
    image = downloads.stored_thumbnail(dependencies().store.get(http.caller(app), job_id).seen_at(time.time()))
    if image is None or not links.reaches(image.key):
        raise FileNotFound
    return _redirect(links.sign(image.key))


def _patience_s(most_s: float) -> float:
    """How long a reply may be held back: as long as the invocation has time left to give it."""
    return min(most_s, app.lambda_context.get_remaining_time_in_millis() / 1000 - _MARGIN_S)


def _detailed(job: Job) -> replies.Body:
    deps, now = dependencies(), time.time()
    items = deps.store.items_of(job.tenant, job.id, skip=_report) if job.playlist is not None else ()
    return downloads.detailed(job, deps.links.sign, (item.seen_at(now) for item in items))


def _report(found: Unreadable) -> None:
    """A job that cannot be read is not shown, and does not keep the others from being shown."""
    logger.error("list_unreadable", job_id=found.job_id)


def _redirect(link: Link) -> Response[str]:
    return Response(307, body="", headers={"Location": link.url})


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
