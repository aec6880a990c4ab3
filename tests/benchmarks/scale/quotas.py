"""What bounds an installation: AWS's quotas as accounts have them at first, and what the template sets below those."""

import dataclasses
from typing import Self

from infra.jobs_table import MAX_WRITES
from infra.settings import Settings
from reelhaul.items import DUE_SHARDS
from reelhaul.settings import ReadSettings

MOST_WORKERS = 1000  # what an SQS event source's maximum concurrency can be; AWS::Lambda::EventSourceMapping


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """AWS's, of one region. Rates are per second. The pages are those of docs.aws.amazon.com, November 2026."""

    lambda_concurrency: int = 1_000  # all functions of the account; Lambda, "Lambda quotas"; can be raised
    lambda_environments: float = 100.0  # new ones of a function: 1,000 in 10 s; Lambda, "Lambda scaling behavior"
    lambda_environments_at_once: int = 1_000  # ibid.
    pollers_at_first: int = 5  # Lambda, "Configuring scaling behavior for SQS event source mappings"
    pollers_added: float = 300 / 60  # ibid.
    queue_in_flight: int = 120_000  # SQS, "Quotas related to queues", standard queues
    partition_writes: int = (
        1_000  # DynamoDB, "Best practices for designing partition keys"; no quota that can be raised
    )
    table_writes: int = 4_000  # of a new on-demand table, then twice its last peak; "Initial throughput and scaling"
    bucket_puts: int = 3_500  # for each prefix, ours is the tenant; S3, "Optimizing Amazon S3 performance"
    bucket_gets: int = 5_500  # ibid.
    api_requests: int = 10_000  # all APIs of the account; API Gateway, "HTTP API quotas"; can be raised


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What one stack may use. Rates are per second; `tenants` share the load evenly."""

    workers: int
    api_rate: float
    api_burst: float
    lambda_concurrency: int
    table_writes: int
    hold_s: float  # how long a status request is held back
    tenants: int = 1
    quotas: Quotas = dataclasses.field(default_factory=Quotas)

    @classmethod
    def from_settings(cls, settings: Settings, quotas: Quotas | None = None) -> Self:
        """As `settings` deploy it into an account that has never asked for more. The express lane is left out."""
        quotas = quotas or Quotas()
        return cls(
            workers=settings.worker_concurrency,
            api_rate=min(settings.throttle_rate, quotas.api_requests),
            api_burst=settings.throttle_burst,
            lambda_concurrency=quotas.lambda_concurrency,
            table_writes=min(MAX_WRITES, quotas.table_writes),
            hold_s=float(ReadSettings.__dataclass_fields__["hold_s"].default),  # type: ignore[arg-type]  # it has one
            quotas=quotas,
        )

    @property
    def due_writes(self) -> int:
        """What the index `due` takes: its shards are partitions."""
        return min(self.table_writes, DUE_SHARDS * self.quotas.partition_writes)
