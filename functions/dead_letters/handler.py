"""The dead-letter queue: a message that was tried in vain ends its job, so that nobody waits for it for ever."""

import functools
import os
from typing import Any

from aws_lambda_powertools import Logger

from dead_letters.burial import give_up
from dead_letters.settings import DeadLetterSettings
from reelhaul.aws import client
from reelhaul.errors import RecordUnreadable, ServiceUnavailable
from reelhaul.queue import JobMessage
from reelhaul.store import JobStore

logger = Logger(service="dead_letters")


@functools.cache
def dependencies() -> JobStore:
    return JobStore(client("dynamodb"), DeadLetterSettings.from_env(os.environ).table_name)


def lambda_handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Handle an SQS event; what it reports as failed comes again."""
    failed = [record["messageId"] for record in event["Records"] if not _is_settled(record)]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def _is_settled(record: dict[str, Any]) -> bool:
    message = JobMessage.named(record["body"])
    if message is None:
        # Nothing can be done about it, now or later. Its text is left out: what is not ours may be anything.
        logger.error("dead_letter_unreadable", message_id=record["messageId"], size=len(record["body"]))
        return True
    with logger.append_context_keys(job_id=message.job_id, tenant=message.tenant):
        return _is_given_up(message, record["messageId"])


def _is_given_up(message: JobMessage, message_id: str) -> bool:
    try:
        ended = give_up(message, store=dependencies())
    except RecordUnreadable:  # a later version's: its sweeper will see to the job
        logger.exception("dead_letter_newer", message_id=message_id)
        return True
    except ServiceUnavailable:
        logger.exception("dead_letter_postponed", message_id=message_id)
        return False
    except Exception:  # unforeseen, and so it would be the next time; the sweeper knows the job as well
        logger.exception("dead_letter_broken", message_id=message_id)
        return True
    logger.info("dead_letter_settled", ended=ended)
    return True
