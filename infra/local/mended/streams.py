"""The engine's table streams, mended.

As it is, ministack 1.5.33 keeps changes in memory only, so that an end loses what was not taken yet; as it does keep
how far each mapping has come, after a start it passes over as many changes as there were before. It takes a batch for
done whatever the function reports as failed. And it calls the function in the thread that feeds all the queues.

Here a stream is a queue: a change stays, also over a restart, until its one consumer has taken it.
"""
# ruff: noqa: SLF001 - who mends the engine has to reach into it

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ministack.core.responses import _request_account_id, _request_region
from ministack.services import dynamodb, lambda_svc

_KEPT = "reelhaul_changes"  # in the file of the engine's tables
_BATCH_SIZE, _PAUSE_S = 100, 1.0

Mapping = dict[str, Any]
Change = dict[str, Any]


class Streams:
    """What the engine calls instead of functions of its own, once `install` has been called."""

    def __init__(self) -> None:
        self._get_state, self._load_state = dynamodb.get_state, dynamodb.load_persisted_state
        self._limits: dict[str, int] = {}  # by mapping: how many changes at once after a failure

    def install(self) -> None:
        dynamodb.get_state = self.state
        dynamodb.load_persisted_state = self.load
        dynamodb._trim_stream_records = lambda *_, **__: None  # after a day, whether taken or not
        lambda_svc._poll_dynamodb_streams = self.poll

    def state(self) -> dict[str, Any]:
        """The tables, and after that what nobody has been told of them: no change is in the one only."""
        tables: dict[str, Any] = self._get_state()
        kept = [[*place, list(changes)] for place, changes in dynamodb._stream_records.all_items()]
        return {**tables, _KEPT: kept}

    def load(self, data: dict[str, Any]) -> None:
        self._load_state(data)
        for account, region, table, changes in data.get(_KEPT, []):
            dynamodb._stream_records.set_scoped(account, region, table, changes)

    def poll(self) -> bool:
        """Have what is new taken, by each mapping in a thread of its own, one batch at a time: so it stays in order.

        Returns false: nothing is left to do at once. The end of a batch wakes the engine, as a new change does.
        """
        for account, region, mapping in lambda_svc._iter_all_esms():
            with _scope(account, region):
                name = mapping["UUID"]
                waits = lambda_svc._esm_backoff_until.get(name, 0) > time.time()
                is_free = mapping.get("Enabled", True) and not lambda_svc._esm_inflight.get(name, 0)
                if is_free and not waits and _pending(mapping):
                    lambda_svc._dispatch_esm_batch(name, self._take, mapping)
        return False

    def _take(self, mapping: Mapping) -> None:
        """Call the mapping's function with its next changes, and drop those that are done with."""
        name, pending = mapping["UUID"], _pending(mapping)
        lambda_svc._esm_backoff_until[name] = time.time() + _PAUSE_S  # should anything go wrong
        function, _ = lambda_svc._get_func_record_for_qualifier(mapping["FunctionName"], mapping.get("Qualifier"))
        batch = pending[: self._limits.get(name, int(mapping.get("BatchSize", _BATCH_SIZE)))]
        wanted = lambda_svc._apply_filter_criteria(batch, mapping)
        result = lambda_svc._execute_function(function, {"Records": wanted}) if wanted else {}
        done = _done(batch, result)
        if done < len(batch) and len(wanted) == 1 and _is_too_old(wanted[0], mapping):
            lambda_svc._send_ddb_stream_failure_record(
                mapping, function, wanted, mapping["EventSourceArn"], result, "MaxRecordAgeExceeded"
            )
            done = len(batch)
        del pending[:done]
        if done == len(batch):
            lambda_svc._esm_backoff_until.pop(name, None)
            self._limits.pop(name, None)
        else:
            self._limits[name] = max(1, (len(batch) - done) // 2)  # until the one that is at fault is alone


def _pending(mapping: Mapping) -> list[Change]:
    """The very list of the changes that the mapping has not taken yet; an empty one if it reads no table."""
    _, is_table, rest = str(mapping.get("EventSourceArn", "")).partition(":table/")
    table, is_stream, _ = rest.partition("/stream/")
    found: list[Change] = dynamodb._stream_records.get(table, []) if is_table and is_stream else []
    return found


def _done(batch: list[Change], result: dict[str, Any]) -> int:
    """How many of a batch's changes are done with: those before the first that failed.

    Lambda, "Configuring partial batch response with DynamoDB": a number that is none of the batch's fails all of it.
    """
    if result.get("error"):
        return 0
    body = result.get("body")
    failures = body.get("batchItemFailures") or [] if isinstance(body, dict) else []
    if not failures:
        return len(batch)
    failed = {failure.get("itemIdentifier") for failure in failures}
    numbers = [change["dynamodb"]["SequenceNumber"] for change in batch]
    return next((place for place, number in enumerate(numbers) if number in failed), 0)


def _is_too_old(change: Change, mapping: Mapping) -> bool:
    limit_s = int(mapping.get("MaximumRecordAgeInSeconds") or 0)
    return 0 < limit_s < time.time() - float(change["dynamodb"]["ApproximateCreationDateTime"])


@contextmanager
def _scope(account: str, region: str) -> Iterator[None]:
    """The account and region that the engine's stores are read for."""
    tokens = _request_account_id.set(account), _request_region.set(region)
    try:
        yield
    finally:
        _request_account_id.reset(tokens[0])
        _request_region.reset(tokens[1])
