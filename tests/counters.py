"""What a tenant's counters have to say, from the jobs themselves: a scan is the truth, however they are kept."""

import collections
from collections.abc import Callable, Iterable, Mapping, Sequence

from reelhaul import aws, items
from reelhaul.jobs import ACTIVE, Job
from reelhaul.store import JobStore
from tests.conftest import Cloud

Counts = Mapping[str, int]


def statuses(jobs: Iterable[Job]) -> Counts:
    return collections.Counter(items.STATUSES[job.state] for job in jobs)


def _places(jobs: Sequence[Job]) -> Counts:
    """Those under way, but for the items that are told apart. Records from before there was that are not."""
    apart = (job.item is not None and job.item.counted_apart for job in jobs)
    return {"": sum(job.state in ACTIVE and not is_apart for job, is_apart in zip(jobs, apart, strict=True))}


# What is counted: how the store tells it for a tenant, and what that has to be for these jobs of the tenant.
KEPT: dict[str, tuple[Callable[[JobStore, str], Counts], Callable[[list[Job]], Counts]]] = {
    "jobs of each status": (lambda store, tenant: store.counts(tenant), statuses),
    "jobs that take a place": (lambda store, tenant: {"": store.usage(tenant, now=0).open_jobs}, _places),
}


def all_items(cloud: Cloud) -> list[items.Item]:
    """Everything in the table."""
    pages = aws.client("dynamodb").get_paginator("scan").paginate(TableName=cloud.table, ConsistentRead=True)
    return [items.from_wire(item) for page in pages for item in page["Items"]]


def all_jobs(cloud: Cloud) -> list[Job]:
    """Every job of every tenant. Raises as `items.from_item` does for one that cannot be read."""
    return [items.from_item(item) for item in all_items(cloud) if "job" in item]


def differences(cloud: Cloud, tenants: Iterable[str]) -> list[str]:
    """Where a counter is not the truth, in words. Empty when all is well."""
    jobs = all_jobs(cloud)
    found = []
    for tenant in tenants:
        own = [job for job in jobs if job.tenant == tenant]
        for what, (told, truth) in KEPT.items():
            said, true = _plain(told(cloud.store, tenant)), _plain(truth(own))
            if said != true:
                found.append(f"{tenant}: {what} are {true}, its counters say {said}")
    return found


def _plain(counts: Counts) -> dict[str, int]:
    return {name: number for name, number in counts.items() if number}
