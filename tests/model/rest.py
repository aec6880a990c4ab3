"""The world comes to rest, and then nothing is stuck, nothing is lost and nothing is there twice."""

import collections
import hashlib

from reelhaul import aws
from reelhaul.jobs import ACTIVE, MAX_ATTEMPTS, DeliveryState, Job, State, StoredExtra, StoredObject
from tests import counters
from tests.model.history import KINDS
from tests.model.use import LIMITS
from tests.model.wire import contents
from tests.model.world import TENANTS, World

_HORIZON_S = 2 * 86_400  # what is due later than this is a file's expiry or a record's end, which are no trouble
_MAX_ROUNDS = 30  # twice what it takes
_IDLE_ROUNDS = 4  # in which the sweeper came by, and nothing came of it
_MINUTE_S = 61.0
_ENDED_DELIVERIES = {DeliveryState.DELIVERED, DeliveryState.FAILED, DeliveryState.STOPPED}


class Violation(AssertionError):
    """The invariant does not hold."""


def come_to_rest(world: World) -> None:
    """No more faults. Whoever is stopped stays so for as long as Lambda lets him, and then goes on, much too late."""
    world.webhook_status = 200
    world.note("from here on without faults")
    while world.paused:
        patience = min(fiber.ends_at for fiber in world.paused) - 1
        _go_on(world, until=patience)
        if world.now < patience:
            world.advance(patience - world.now)
        for fiber in [fiber for fiber in world.paused if fiber.ends_at <= world.now + 1]:
            world.resume(fiber)
    _go_on(world)
    world.recycle()


def _go_on(world: World, until: float = float("inf")) -> None:
    """Let everybody do his work who can, until that is all done or the time has come."""
    idle = 0
    for _ in range(_MAX_ROUNDS):
        before = world.activity
        _deliver_all(world)
        world.sweep()
        idle = idle + 1 if world.activity == before + 1 else 0  # the sweep itself counts
        upcoming = _next_event(world)
        if upcoming is None or idle >= _IDLE_ROUNDS:
            return
        wait_s = max(_MINUTE_S, upcoming - world.now + 1)
        if world.now + wait_s > until:
            return
        world.advance(wait_s)
    raise Violation("\n".join(["the world does not come to rest", *_shown(world)]))


def _deliver_all(world: World) -> None:
    idle_environment = next((each for each in world.environments if each.fiber is None), None)
    moved = True
    while moved:
        before = world.activity
        world.announce(100)
        for letter in world.dead_letters.visible():
            world.handle(world.dead_letters, letter, "dead_letters")
        for queue, letter in world.letters():
            if idle_environment is not None:
                world.work_on(queue, letter, idle_environment)
        for letter in world.webhooks.visible():
            world.handle(world.webhooks, letter, "deliver_webhooks")
        moved = world.activity != before


def _next_event(world: World) -> float | None:
    letters = [letter for queue in world.emptied for letter in queue.letters]
    due = [float(item["due_at"]["N"]) for item in contents(world.cloud.table) if "due_at" in item]
    times = [*due, *(letter.visible_at for letter in letters)]
    return min((time for time in times if time < world.now + _HORIZON_S), default=None)


def check(world: World) -> None:
    """Raises `Violation` with everything that is wrong, and with how it came to be."""
    jobs = counters.all_jobs(world.cloud)
    wrong = [
        *_jobs(world, jobs), *_objects(world, jobs), *_ends(world, jobs), *_announcements(world),
        *_webhooks(world, jobs), *_playlists(jobs), *_leftovers(world), *counters.differences(world.cloud, TENANTS),
        *world.history.use.differences(world.cloud), *world.unforeseen, *world.history.mixed_up,
    ]  # fmt: skip
    if wrong:
        raise Violation("\n".join(["at rest:", *wrong, *_shown(world)]))


def _jobs(world: World, jobs: list[Job]) -> list[str]:
    stuck = [f"{_name(job)} is stuck as {job.state}" for job in jobs if job.state in ACTIVE]
    twice = [f"{job_id} was created {times} times" for job_id, times in world.history.created.items() if times > 1]
    unjustified = [
        f"{_name(job)} failed with {job.error_code} for no reason"
        for job in jobs
        if job.state is State.FAILED and not _has_reason(world, job)
    ]
    return stuck + twice + unjustified


def _has_reason(world: World, job: Job) -> bool:
    """Whether what the job says of its failure has really happened to it."""
    if job.error_code in {"job.crashed", "storage.unavailable", "source.interrupted"}:
        return job.attempts >= MAX_ATTEMPTS
    if str(job.error_code).startswith("limit."):
        return job.tenant in LIMITS
    return job.error_code in world.history.reasons[job.id, job.generation]


def _objects(world: World, jobs: list[Job]) -> list[str]:
    """Done means exactly the objects that the job names, as it names them; in any other state there is none."""
    s3, bucket = aws.client("s3"), world.cloud.bucket
    there = {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in world.cloud.object_keys()}
    wrong = []
    for job in jobs:
        if job.keys and job.state not in {State.DONE, State.EXPIRED}:
            wrong.append(f"{_name(job)} has objects and is {job.state}")
        if job.state is State.DONE and job.stored is None and job.playlist is None:
            wrong.append(f"{_name(job)} is done without an object")
        for stored in _files(job):
            body = there.pop(stored.key, None)
            if body is None:
                wrong.append(f"{_name(job)} is {job.state}, and its {stored.key} is not there")
            elif not isinstance(stored, StoredExtra) and not _is_as_it_came(world, job, body):
                wrong.append(f"{_name(job)}: {stored.key} has been put together wrongly")
            elif (len(body), hashlib.sha256(body).hexdigest()) != (stored.size, stored.checksum_sha256):
                wrong.append(f"{_name(job)}: {stored.key} is not what was stored")
    return wrong + [f"{key} belongs to nobody" for key in there]


def _is_as_it_came(world: World, job: Job, body: bytes) -> bool:
    return not job.url.endswith(("/long", "/bulky")) or body in world.history.whole


def _files(job: Job) -> list[StoredObject | StoredExtra]:
    return [*([job.stored] if job.stored else []), *job.extras]


def _ends(world: World, jobs: list[Job]) -> list[str]:
    wrong = [
        f"{job_id}, generation {generation}, ended {len(ends)} times: {ends}"
        for (job_id, generation), ends in world.history.ends.items()
        if len(ends) > 1
    ]
    for job in jobs:
        ended = {generation for (job_id, generation) in world.history.ends if job_id == job.id}
        if job.state not in ACTIVE and ended != set(range(1, job.generation + 1)):
            wrong.append(f"{_name(job)} ended in generations {sorted(ended)}")
    return wrong


def _announcements(world: World) -> list[str]:
    expected, said = world.history.expected_events(), world.history.announced
    return [
        f"of {event} the bus was told {sorted(said.get(event, set()))}, and it was {sorted(expected.get(event, set()))}"
        for event in sorted({*expected, *said})
        if expected.get(event) != said.get(event)
    ]


def _webhooks(world: World, jobs: list[Job]) -> list[str]:
    expected, called = world.history.expected_events(), world.history.called
    wrong = [f"a webhook told {kinds} of {event}" for event, kinds in called.items() if kinds != expected.get(event)]
    for job in jobs:
        if job.callback_url is None or job.state in ACTIVE:
            continue
        if job.webhook is None or job.webhook.state not in _ENDED_DELIVERIES:
            wrong.append(f"{_name(job)}'s webhook is stuck: {job.webhook}")
        elif job.webhook.state is DeliveryState.DELIVERED and job.webhook.event_id not in called:
            wrong.append(f"{_name(job)}'s webhook was not delivered")
    return wrong


def _playlists(jobs: list[Job]) -> list[str]:
    """What a playlist says of its items is so, and none of them outlives it."""
    wrong = []
    known = {job.id: job for job in jobs}
    for job in jobs:
        if job.item is not None and job.item.parent_id not in known:
            wrong.append(f"{_name(job)} is an item of a playlist that was deleted")
        if job.playlist is None:
            continue
        own = [each for each in jobs if each.item and each.item.parent_id == job.id]
        own = [each for each in own if each.item and each.item.generation == job.generation]
        counted = collections.Counter(KINDS[State.DONE if each.state is State.EXPIRED else each.state] for each in own)
        said = (job.playlist.total, job.playlist.done, job.playlist.failed, job.playlist.cancelled)
        if said != (len(own), *(counted[KINDS[state]] for state in (State.DONE, State.FAILED, State.CANCELLED))):
            wrong.append(f"{_name(job)} says {said} of its items, which are {dict(counted)}")
    return wrong


def _leftovers(world: World) -> list[str]:
    uploads = aws.client("s3").list_multipart_uploads(Bucket=world.cloud.bucket).get("Uploads", [])
    tombstones = [item["sk"] for item in counters.all_items(world.cloud) if item["pk"] == "DELETED"]
    return [
        *(f"an upload of {upload['Key']} is open" for upload in uploads),
        *(f"{queue.name} has {len(queue.letters)} messages" for queue in world.emptied if queue.letters),
        *(f"a tombstone of {job_id} is left" for job_id in tombstones),
        *(f"{path} is left" for environment in world.environments for path in environment.directory.iterdir()),
        *(f"{fiber} has not ended" for fiber in world.paused),
    ]


def _shown(world: World) -> list[str]:
    return ["how it came to be:", *world.log]


def _name(job: Job) -> str:
    return f"{job.id}/{job.generation}"
