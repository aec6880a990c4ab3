"""Writes metrics to standard output, in CloudWatch's embedded metric format: the log is all it takes, and no call.

What makes a metric is in `reelhaul.metrics`. What is known beside it (job, tenant, error code) stands in the same line,
where Logs Insights finds it and nothing is paid for it.
"""

import dataclasses

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from reelhaul import metrics
from reelhaul.jobs import Job


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """One attempt that stored a medium. Seconds; `size` in bytes, of all that was stored.

    `queued_s`: from the request, or from going back into the queue, until a worker took the job.
    `fetching_s`: until the last byte of the source was there, finding out what there is included.
    `finishing_s`: merging, converting and cutting. `uploading_s`: until S3 had everything and had shown its checksum.
    """

    size: int
    queued_s: float
    fetching_s: float
    finishing_s: float
    uploading_s: float

    @property
    def ratio(self) -> float | None:
        """How long it took, divided by how long the source alone took: at 1.0 storing cost no time at all.

        `(fetching_s + finishing_s + uploading_s) / fetching_s`, `None` where the source took no time.
        """
        if self.fetching_s <= 0:
            return None
        return (self.fetching_s + self.finishing_s + self.uploading_s) / self.fetching_s


class Measures:
    """`stack` is the dimension `service` of everything. One line each, at once: nothing is kept between calls."""

    def __init__(self, stack: str) -> None:
        self._stack = stack

    def job_ended(self, job: Job) -> None:
        """Counts `job`, which has come to its end, a playlist as well as its items.

        Who sees an end twice, counts it twice: that is rare, and a count is no ledger.
        """
        outcome = metrics.outcome_of(job.state)
        kind = metrics.kind_of(outcome, job.error_code)
        line = self._about(job)
        line.add_metadata("error_code", job.error_code)
        line.add_dimensions(**{metrics.SERVICE: self._stack, metrics.OUTCOME: outcome.value, metrics.KIND: kind.value})
        line.add_metric(metrics.JOBS, MetricUnit.Count, 1)
        line.flush_metrics()

    def stored(self, job: Job, transfer: Transfer) -> None:
        line = self._about(job)
        line.add_metric(metrics.BYTES, MetricUnit.Bytes, transfer.size)
        seconds = (transfer.queued_s, transfer.fetching_s, transfer.finishing_s, transfer.uploading_s)
        for name, value in zip(metrics.PHASES, seconds, strict=True):
            line.add_metric(name, MetricUnit.Seconds, round(value, 3))
        if transfer.ratio is not None:
            line.add_metric(metrics.TRANSFER_RATIO, MetricUnit.NoUnit, round(transfer.ratio, 3))
        line.flush_metrics()

    def extractor_broken(self, job: Job, extractor: str | None) -> None:
        """`extractor` is one of the names that yt-dlp has for them, or `None` where it did not tell."""
        line = self._about(job)
        line.add_dimension(metrics.EXTRACTOR, extractor or "unknown")
        line.add_metric(metrics.EXTRACTOR_BROKEN, MetricUnit.Count, 1)
        line.flush_metrics()

    def worker_started(self, *, seccomp: bool, landlock: bool) -> None:
        """Which of the kernel's walls hold where this worker runs."""
        line = self._line()
        line.add_metadata("landlock", landlock)
        line.add_metric(metrics.SECCOMP, MetricUnit.Count, int(seccomp))
        line.flush_metrics()

    def _line(self) -> EphemeralMetrics:
        """A set of its own: `Metrics`, which Powertools advises, is one for the whole process."""
        return EphemeralMetrics(namespace=metrics.NAMESPACE, service=self._stack)

    def _about(self, job: Job) -> EphemeralMetrics:
        line = self._line()
        line.add_metadata("job_id", job.id)
        line.add_metadata("tenant", job.tenant)
        return line
