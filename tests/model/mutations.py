"""The service without one of its guards, each taken away where the product has it. See `test_mutations`."""

import dataclasses
import inspect
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

import sweeper.handler
from announcer import announcing
from announcer.announcing import Announcer
from downloader import transfer
from downloader import worker as working
from downloader.relay import Relay
from downloader.worker import Worker
from reelhaul import aws, remove, steps, store, table
from reelhaul.counters import Counters
from reelhaul.jobs import ACTIVE, Job, State
from reelhaul.objects import MediaBucket
from reelhaul.queue import JobMessage
from reelhaul.store import JobStore
from sweeper.sweep import Sweeper

Patch = pytest.MonkeyPatch


@dataclasses.dataclass(frozen=True)
class Mutation:
    """`apply` takes the guard away. `rules` are those of the machine that have to do with it: more would be noise."""

    apply: Callable[[Patch], None]
    rules: frozenset[str]


MUTATIONS: dict[str, Mutation] = {}


def _mutation(*rules: str) -> Callable[[Callable[[Patch], None]], None]:
    def known(mutate: Callable[[Patch], None]) -> None:
        MUTATIONS[mutate.__name__.replace("_", " ")] = Mutation(mutate, frozenset(rules))

    return known


def _each_step(patch: Patch, change: Callable[[Job, Job], Job]) -> None:
    """Have what every step makes of a job changed once more."""
    for name, step in inspect.getmembers(steps, inspect.isfunction):
        if step.__module__ == steps.__name__ and not name.startswith("_") and name != "new":
            patch.setattr(steps, name, _changed(step, change))


def _changed(step: Callable[..., Job], change: Callable[[Job, Job], Job]) -> Callable[..., Job]:
    return lambda job, *arguments, **named: change(job, step(job, *arguments, **named))


def _each_write(patch: Patch, wrapped: Callable[..., None]) -> None:
    """`wrapped(write, job, condition, values, before)` stands for every write of a job."""
    real = JobStore._write  # noqa: SLF001 - where the condition of every write passes

    def write(self: JobStore, job: Job, condition: str, values: Any, *, before: Job | None, also: Any = ()) -> None:
        def carry_out(condition: str = condition, values: Any = values) -> None:
            real(self, job, condition, values, before=before, also=also)

        wrapped(self, carry_out, job, before)

    patch.setattr(JobStore, "_write", write)


@_mutation("submit_and_stop", "take_over")
def the_fence_is_never_raised(patch: Patch) -> None:
    _each_step(patch, lambda before, after: dataclasses.replace(after, fence=before.fence))


@_mutation("submit_and_stop", "take_over", "start_over")
def writes_have_no_condition(patch: Patch) -> None:
    patch.setattr(table, "_conditioned", lambda *_: {})


@_mutation("submit_and_stop", "take_over", "meddle", "work")
def a_claim_has_no_condition(patch: Patch) -> None:
    _without_condition(patch, State.RUNNING)


@_mutation("submit_and_stop", "take_over", "cancel", "delete")
def a_completion_has_no_condition(patch: Patch) -> None:
    _without_condition(patch, State.DONE)


@_mutation("submit_and_stop", "take_over", "start_over", "cancel")
def a_failure_has_no_condition(patch: Patch) -> None:
    _without_condition(patch, State.FAILED)


@_mutation("submit_and_stop", "take_over", "cancel")
def a_heartbeat_has_no_condition(patch: Patch) -> None:
    _without_condition(patch, State.RUNNING, again=True)


def _without_condition(patch: Patch, state: State, *, again: bool = False) -> None:
    """Of the writes that lead to `state`, or with `again` of those that stay there."""

    def write(_store: JobStore, carry_out: Callable[..., None], job: Job, before: Job | None) -> None:
        if job.state is state and before is not None and (before.state is state) is again:
            carry_out("", {})
        else:
            carry_out()

    _each_write(patch, write)


@_mutation("submit_and_work", "delete")
def nobody_sweeps(patch: Patch) -> None:
    patch.setattr(Sweeper, "run", lambda *_, **__: {})


@_mutation("submit", "meddle")
def lost_messages_are_not_sent_again(patch: Patch) -> None:
    patch.setattr(Sweeper, "_remind", lambda *_: "resent")


@_mutation("submit_and_work")
def a_lease_never_ends(patch: Patch) -> None:
    patch.setattr(Sweeper, "_take_back", lambda *_: "requeued")


@_mutation("submit_and_work", "announce")
def a_lost_webhook_is_not_sent_again(patch: Patch) -> None:
    patch.setattr(Sweeper, "_announce_again", lambda *_: "announced")


@_mutation("submit_and_work", "announce")
def what_could_not_be_announced_is_forgotten(patch: Patch) -> None:
    run = Announcer.run

    def once(self: Announcer, records: Any) -> None:
        run(self, records)

    patch.setattr(Announcer, "run", once)


@_mutation("submit")
def attempts_are_not_counted(patch: Patch) -> None:
    _each_step(patch, lambda _, after: dataclasses.replace(after, attempts=0))


@_mutation("submit_and_stop", "take_over", "cancel")
def orphans_are_not_collected(patch: Patch) -> None:
    patch.setattr(sweeper.handler, "MediaBucket", _Untouched)


class _Untouched(MediaBucket):
    def clean(self, *_: Any, **__: Any) -> int:
        return 0


@_mutation("submit_and_stop", "submit_and_work")
def uploads_are_left_open(patch: Patch) -> None:
    patch.setattr(MediaBucket, "_uploads", lambda *_: iter(()))


@_mutation("submit_and_work")
def a_worker_does_not_remove_what_it_wrote(patch: Patch) -> None:
    patch.setattr(Worker, "_clean", lambda *_: True)


@_mutation("submit_and_work")
def what_lies_on_the_disk_stays_there(patch: Patch) -> None:
    patch.setattr(working, "shutil", SimpleNamespace(rmtree=lambda *_, **__: None))


@_mutation("submit_and_stop", "cancel")
def who_was_cut_off_is_forgotten(patch: Patch) -> None:
    _each_step(patch, lambda _, after: dataclasses.replace(after, untidy=False, stray_until=None))


@_mutation("submit_and_stop", "cancel")
def who_was_cut_off_is_taken_for_dead_at_once(patch: Patch) -> None:
    _each_step(patch, lambda _, after: dataclasses.replace(after, stray_until=None))


@_mutation("submit_and_stop", "delete")
def deletion_leaves_no_tombstone(patch: Patch) -> None:
    patch.setattr(JobStore, "delete", lambda self, job, **_: self.forget(job))


@_mutation("submit_and_work", "delete")
def the_items_of_a_deleted_playlist_stay(patch: Patch) -> None:
    patch.setattr(remove, "delete_items", lambda *_, **__: True)


class _Unknown(str):
    """A token that nobody finds again."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, _other: object) -> bool:
        return False


@_mutation("submit", "cancel", "retry", "delete")
def a_write_that_was_sent_twice_is_not_known_again(patch: Patch) -> None:
    patch.setattr(store, "secrets", SimpleNamespace(token_hex=lambda _: _Unknown("token")))


@_mutation("submit_and_work", "submit_and_stop", "cancel")
def an_end_is_announced_before_it_is_written(patch: Patch) -> None:
    def write(_store: JobStore, carry_out: Callable[..., None], job: Job, before: Job | None) -> None:
        if _ends(job, before):
            _announce(job)
        carry_out()

    _announced_by_the_writer(patch, write)


@_mutation("submit_and_work", "submit_and_stop", "cancel")
def an_end_is_announced_after_it_was_written(patch: Patch) -> None:
    def write(_store: JobStore, carry_out: Callable[..., None], job: Job, before: Job | None) -> None:
        carry_out()
        if _ends(job, before):
            _announce(job)

    _announced_by_the_writer(patch, write)


def _announced_by_the_writer(patch: Patch, write: Callable[..., None]) -> None:
    """An end that is a job's removal has no writer that could tell of it, and is announced as ever."""
    read = announcing.read

    def read_removal(record: announcing.Record, *, now: float) -> announcing.Change:
        change = read(record, now=now)
        return dataclasses.replace(change, ended=None) if "NewImage" in record["dynamodb"] else change

    patch.setattr(announcing, "read", read_removal)
    _each_write(patch, write)


def _ends(job: Job, before: Job | None) -> bool:
    return before is not None and before.state in ACTIVE and job.state not in ACTIVE


def _announce(job: Job) -> None:
    announcing.Bus(aws.client("events"), "reelhaul").put(job)


@_mutation("submit_and_work")
def what_was_stored_is_not_verified(patch: Patch) -> None:
    patch.setattr(transfer, "_is_stored", lambda *_, **__: True)


class _Any(int):
    """A generation that is like every other."""

    def __eq__(self, _other: object) -> bool:
        return True

    def __ne__(self, _other: object) -> bool:
        return False

    __hash__ = int.__hash__


@_mutation("submit", "meddle", "start_over", "bury")
def messages_are_good_for_every_generation(patch: Patch) -> None:
    parse = JobMessage.parse

    def parsed(body: str) -> JobMessage:
        message = parse(body)
        return dataclasses.replace(message, generation=_Any(message.generation))

    patch.setattr(JobMessage, "parse", parsed)


@_mutation("submit", "submit_at_once")
def nobody_passes_the_gate(patch: Patch) -> None:
    admit = Counters.admit

    def admitted(self: Counters, before: Job | None, after: Job) -> list[Any]:
        admit(self, before, after)
        return []

    patch.setattr(Counters, "admit", admitted)


@_mutation("submit", "submit_and_work", "cancel")
def jobs_are_counted_in_a_write_of_its_own(patch: Patch) -> None:
    changes = Counters.changes

    def write(self: JobStore, carry_out: Callable[..., None], job: Job, before: Job | None) -> None:
        carry_out()
        for operation in changes(self._counters, before, job):
            aws.client("dynamodb").update_item(**operation["Update"])

    patch.setattr(Counters, "changes", lambda *_: [])
    _each_write(patch, write)


@_mutation("submit_and_stop", "take_over", "cancel")
def a_hand_over_has_no_condition(patch: Patch) -> None:
    _without_condition(patch, State.QUEUED)


@_mutation("submit_and_work", "work", "cancel")
def what_was_handed_over_is_forgotten(patch: Patch) -> None:
    patch.setattr(steps, "_without_checkpoint", lambda job: dataclasses.replace(job, checkpoint=None))


@_mutation("submit_and_work", "work")
def who_hands_over_removes_what_he_wrote(patch: Patch) -> None:
    hand_over = Relay.hand_over

    def handed_over(self: Relay, job: Job, **given: Any) -> None:
        hand_over(self, job, **given)
        self._clean(job)

    patch.setattr(Relay, "hand_over", handed_over)
