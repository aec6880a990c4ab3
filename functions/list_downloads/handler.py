"""`GET /download` and `GET /api/downloads`: a tenant's jobs, newest first."""

import dataclasses
import functools
import os
import time
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.typing import LambdaContext

from list_downloads.listing import listed
from reelhaul import http
from reelhaul.aws import client
from reelhaul.contracts import downloads, offline
from reelhaul.links import LinkSigner
from reelhaul.settings import ReadSettings
from reelhaul.store import JobStore

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
        links=LinkSigner(client("secretsmanager"), settings.link_secret_arn, settings.bucket_name),
    )


@app.get("/download")
def list_downloads() -> Response[str]:
    deps = dependencies()
    wanted = downloads.parse_listing(app.current_event.query_string_parameters)
    body = listed(http.caller(app), wanted, store=deps.store, links=deps.links, now=time.time())
    return Response(200, "application/json", body)


@app.get("/api/downloads")
def list_offline() -> list[dict[str, Any]]:
    limit, now = offline.parse_limit(app.current_event.query_string_parameters), time.time()
    page = dependencies().store.page(http.caller(app), limit=limit)
    return [offline.row(job.seen_at(now)) for job in page.jobs]


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
