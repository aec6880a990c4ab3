"""`POST /download/{id}`: the same job once more."""

import dataclasses
import functools
import os
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from reelhaul import http
from reelhaul.aws import client
from reelhaul.contracts import downloads, requests
from reelhaul.express import ExpressLane
from reelhaul.queue import JobQueue
from reelhaul.settings import SubmitSettings
from reelhaul.store import JobStore
from reelhaul.submit import retry

logger = Logger(service="retry_download")
app = http.resolver(logger)


@dataclasses.dataclass(frozen=True, slots=True)
class Dependencies:
    store: JobStore
    queue: JobQueue
    express: ExpressLane


@functools.cache
def dependencies() -> Dependencies:
    settings = SubmitSettings.from_env(os.environ)
    store = JobStore(client("dynamodb"), settings.table_name)
    return Dependencies(
        store=store,
        queue=JobQueue(client("sqs"), settings.queue_url),
        express=ExpressLane(store, JobQueue(client("sqs"), settings.express_queue_url)),
    )


@app.post("/download/<job_id>")
def retry_download(job_id: str) -> dict[str, Any]:
    deps = dependencies()
    requests.parse_retry(http.json_object(app.current_event, required=False))
    job = retry(
        http.caller(app),
        job_id,
        limits=http.limits(app.current_event),
        store=deps.store,
        queue=deps.queue,
        express=deps.express,
        log=logger.error,
    )
    logger.info("job_retried", job_id=job.id, tenant=job.tenant, generation=job.generation)
    return downloads.accepted(job, http.output_url(app.current_event, job.id))


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
