"""`GET /download` and `GET /api/downloads`: a tenant's jobs, newest first."""

import dataclasses
import functools
import os
import time
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.typing import LambdaContext

from list_downloads.listing import listed, listed_offline
from reelhaul import http
from reelhaul.aws import client
from reelhaul.contracts import downloads, offline
from reelhaul.links import LinkSigner, signer_of
from reelhaul.settings import ReadSettings
from reelhaul.store import JobStore, Page

logger = Logger(service="list_downloads")
app = http.resolver(logger)


@dataclasses.dataclass(frozen=True, slots=True)
class Dependencies:
    store: JobStore
    links: LinkSigner


@functools.cache
def dependencies() -> Dependencies:
    settings = ReadSettings.from_env(os.environ)
    return Dependencies(
        store=JobStore(client("dynamodb"), settings.table_name),
        links=signer_of(settings, client("secretsmanager")),
    )


@app.get("/download")
def list_downloads() -> Response[str]:
    deps = dependencies()
    wanted = downloads.parse_listing(http.parameters(app.current_event, "count", "page_index", "status", "next_token"))
    body, page = listed(http.caller(app), wanted, store=deps.store, links=deps.links, now=time.time())
    _report_unreadable(page)
    return Response(200, "application/json", body)


@app.get("/api/downloads")
def list_offline() -> Response[str]:
    limit = offline.parse_limit(http.parameters(app.current_event, "limit"))
    page = dependencies().store.page(http.caller(app), limit=limit)
    _report_unreadable(page)
    body, rows = listed_offline(page.jobs, now=time.time())
    if rows < len(page.jobs):
        logger.warning("list_cut_to_fit", rows=rows, jobs=len(page.jobs))
    return Response(200, "application/json", body)


def _report_unreadable(page: Page) -> None:
    """A job that cannot be read is not shown, and neither keeps the others from being shown."""
    for found in page.unreadable:
        logger.error("list_unreadable", job_id=found.job_id)


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
