"""What becomes of one message of the webhook queue: an attempt to deliver, and the message for the next one.

At least once, and for each event one chain of messages. The order is: call the target, write the outcome into the job,
send the next message, acknowledge this one. A crash
- before the outcome is written brings the same message again: the target hears of the event twice (same webhook-id);
- after it makes the message stale when it comes again, and it is dropped. If the next message was not sent yet, the
  sweeper sends it once it is overdue.
Were the next message sent first, a crash between the two would leave two messages for the same attempt, both valid, and
each would go on for the whole day.

A message is stale unless its number of attempts is the job's. The write moves the job's fence, so of two who made the
same attempt at once only one writes, and only that one sends the next message. A job that has been deleted or retried
has no such number any more: its message goes on by itself, and can double if a crash falls between sending and
acknowledging. It ends with its schedule all the same.
"""

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from deliver_webhooks.post import Poster
from reelhaul import steps
from reelhaul.contracts import downloads
from reelhaul.contracts.replies import Body, dumps
from reelhaul.errors import Conflict, JobNotFound, RecordUnreadable
from reelhaul.jobs import Delivery, DeliveryState, Job
from reelhaul.links import LinkSigner
from reelhaul.store import JobStore
from reelhaul.webhooks import WebhookMessage, WebhookQueue, events, schedule
from reelhaul.webhooks.signing import WebhookSecrets, signed_headers

_CLOSE_S = 1.0  # SQS counts whole seconds: what is due within this is due
_HEADERS = {"Content-Type": "application/json", "User-Agent": "Reelhaul"}


class Courier:
    """`logger` is a Powertools logger, `clock` gives seconds since the epoch."""

    def __init__(
        self,
        *,
        store: JobStore,
        queue: WebhookQueue,
        links: LinkSigner,
        secrets: WebhookSecrets,
        poster: Poster,
        logger: Any,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._queue = queue
        self._links = links
        self._secrets = secrets
        self._poster = poster
        self._logger = logger
        self._clock = clock

    def run(self, message: WebhookMessage) -> None:
        """Do what `message` asks for, or have it come later. Raises `ServiceUnavailable`: then it has to come again."""
        now = self._clock()
        if message.not_before > now + _CLOSE_S:  # longer away than one delay of SQS
            self._queue.send_later(message, now=now)
            return
        job = self._job(message)
        if job is not None and not _is_next(message, job):
            self._log("webhook_stale", message)
            return
        delivery = self._attempt(message, job)
        self._log("webhook_attempted", message, state=delivery.state.value, status=delivery.response_status,
                  error=delivery.error)  # fmt: skip
        if self._noted(message, delivery) and delivery.state is DeliveryState.PENDING:
            self._queue.send_later(message.after(delivery), now=self._clock())

    def _log(self, event: str, message: WebhookMessage, **fields: object) -> None:
        """Of the URL only the host: its query may be a secret of the receiver's."""
        self._logger.info(
            event, job_id=message.job_id, tenant=message.tenant, event_id=message.event_id,
            attempts=message.attempts, host=urlsplit(message.callback_url).hostname, **fields,
        )  # fmt: skip

    def _job(self, message: WebhookMessage) -> Job | None:
        """The job, unless it has been deleted or retried since, or cannot be read."""
        try:
            job = self._store.get(message.tenant, message.job_id)
        except (JobNotFound, RecordUnreadable):
            return None
        return job if _is_about(message, job) else None

    def _attempt(self, message: WebhookMessage, job: Job | None) -> Delivery:
        data = message.snapshot if job is None else self._shown(job)
        body = dumps(events.payload(message.type, message.occurred_at, data)).encode()
        keys = self._secrets.keys(message.tenant)
        signed = signed_headers(keys, event_id=message.event_id, now=self._clock(), body=body)
        outcome = self._poster.post(message.callback_url, _HEADERS | signed, body)
        return schedule.after(message.attempts, outcome, event_id=message.event_id, now=self._clock())

    def _shown(self, job: Job) -> Body:
        """The job as its owner would see it now, with links that live for 24 hours from now.

        Of a playlist only the counts: with a thousand items it would be larger than receivers like, and each item has a
        webhook of its own.
        """
        job = job.seen_at(self._clock())
        return downloads.view(job, None) if job.playlist else downloads.detailed(job, self._links.sign, ())

    def _noted(self, message: WebhookMessage, delivery: Delivery) -> bool:
        """Write the outcome into the job. False when somebody else made the same attempt and was faster."""

        def step(job: Job) -> Job:
            if not _is_about(message, job):
                raise JobNotFound
            if not _is_next(message, job):
                raise Conflict
            return steps.delivered(job, delivery, now=self._clock())

        try:
            self._store.change(message.tenant, message.job_id, step)
        except (JobNotFound, RecordUnreadable):
            return True  # there is nothing to note, and nobody else to go on
        except Conflict:
            return False
        return True


def _is_about(message: WebhookMessage, job: Job) -> bool:
    return job.webhook is not None and job.generation == message.generation and job.webhook.event_id == message.event_id


def _is_next(message: WebhookMessage, job: Job) -> bool:
    webhook = job.webhook
    return webhook is not None and webhook.state is DeliveryState.PENDING and webhook.attempts == message.attempts
