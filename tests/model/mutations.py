"""The service without one of its guards, each taken away where the product has it. See `test_mutations`."""

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

import pytest

import sweeper.handler
from announcer.announcing import Announcer, Bus
from downloader.transfer import Uploader
from reelhaul import aws, steps, table
from reelhaul.counters import Counters
from reelhaul.jobs import ACTIVE, Job, State
from reelhaul.objects import MediaBucket
from reelhaul.queue import JobMessage
from reelhaul.store import JobStore
from sweeper.sweep import Sweeper

Patch = pytest.MonkeyPatch
MUTATIONS: dict[str, Callable[[Patch], None]] = {}


def _mutation(mutate: Callable[[Patch], None]) -> Callable[[Patch], None]:
    MUTATIONS[mutate.__name__.replace("_", " ")] = mutate
    return mutate


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


@_mutation
def the_fence_is_never_raised(patch: Patch) -> None:
    _each_step(patch, lambda before, after: dataclasses.replace(after, fence=before.fence))


@_mutation
def writes_have_no_condition(patch: Patch) -> None:
    patch.setattr(table, "_conditioned", lambda *_: {})


@_mutation
def a_claim_has_no_condition(patch: Patch) -> None:
    _without_condition(patch, State.RUNNING)


@_mutation
def a_completion_has_no_condition(patch: Patch) -> None:
    _without_condition(patch, State.DONE)


def _without_condition(patch: Patch, state: State) -> None:
    def write(_store: JobStore, carry_out: Callable[..., None], job: Job, before: Job | None) -> None:
        if job.state is state and before is not None and before.state is not state:
            carry_out("", {})
        else:
            carry_out()

    _each_write(patch, write)


@_mutation
def nobody_sweeps(patch: Patch) -> None:
    patch.setattr(Sweeper, "run", lambda *_, **__: {})


@_mutation
def orphans_are_not_collected(patch: Patch) -> None:
    patch.setattr(sweeper.handler, "MediaBucket", _Untouched)


class _Untouched(MediaBucket):
    def clean(self, *_: Any, **__: Any) -> int:
        return 0


@_mutation
def who_was_cut_off_is_forgotten(patch: Patch) -> None:
    _each_step(patch, lambda _, after: dataclasses.replace(after, untidy=False, stray_until=None))


@_mutation
def who_was_cut_off_is_taken_for_dead_at_once(patch: Patch) -> None:
    _each_step(patch, lambda _, after: dataclasses.replace(after, stray_until=None))


@_mutation
def deletion_leaves_no_tombstone(patch: Patch) -> None:
    patch.setattr(JobStore, "delete", lambda self, job, **_: self.forget(job))


@_mutation
def an_end_is_announced_before_it_is_written(patch: Patch) -> None:
    def write(self: JobStore, carry_out: Callable[..., None], job: Job, before: Job | None) -> None:
        if _ends(job, before):
            _announce(self, job)
        carry_out()

    _announced_by_the_writer(patch, write)


@_mutation
def an_end_is_announced_after_it_was_written(patch: Patch) -> None:
    def write(self: JobStore, carry_out: Callable[..., None], job: Job, before: Job | None) -> None:
        carry_out()
        if _ends(job, before):
            _announce(self, job)

    _announced_by_the_writer(patch, write)


def _announced_by_the_writer(patch: Patch, write: Callable[..., None]) -> None:
    patch.setattr(Announcer, "_announce", lambda *_: True)
    _each_write(patch, write)


def _ends(job: Job, before: Job | None) -> bool:
    return before is not None and before.state in ACTIVE and job.state not in ACTIVE


def _announce(_store: JobStore, job: Job) -> None:
    Bus(aws.client("events"), "reelhaul").put(job)


@_mutation
def what_was_stored_is_not_verified(patch: Patch) -> None:
    patch.setattr(Uploader, "_has", lambda *_, **__: True)


class _Any(int):
    """A generation that is like every other."""

    def __eq__(self, _other: object) -> bool:
        return True

    def __ne__(self, _other: object) -> bool:
        return False

    __hash__ = int.__hash__


@_mutation
def messages_are_good_for_every_generation(patch: Patch) -> None:
    parse = JobMessage.parse

    def parsed(body: str) -> JobMessage:
        message = parse(body)
        return dataclasses.replace(message, generation=_Any(message.generation))

    patch.setattr(JobMessage, "parse", parsed)


@_mutation
def jobs_are_counted_in_a_write_of_its_own(patch: Patch) -> None:
    changes = Counters.changes

    def write(self: JobStore, carry_out: Callable[..., None], job: Job, before: Job | None) -> None:
        carry_out()
        for operation in changes(self._counters, before, job):
            aws.client("dynamodb").update_item(**operation["Update"])

    patch.setattr(Counters, "changes", lambda *_: [])
    _each_write(patch, write)
