"""The queue of jobs, the express lane beside it, and the queue for messages that nobody could handle."""

from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.queues import queue

_MAX_RECEIVES = 5  # a job has three attempts of its own; the rest is for workers that die without a word
_MARGIN_S = 60
DEAD_LETTER_TIMEOUT_S = 10


class WorkQueue(Construct):
    """Messages reappear a minute after a worker's time-out at the latest, and turn up dead after five deliveries."""

    def __init__(self, scope: Construct, name: str, *, worker_timeout_s: int) -> None:
        super().__init__(scope, name)
        self.dead_letters = queue(
            self,
            "DeadLetters",
            retention_days=14,
            visibility_s=6 * DEAD_LETTER_TIMEOUT_S,  # AWS advises six times the function's
        )
        self.queue, self.express = (
            queue(
                self,
                part,
                retention_days=4,
                # Not the six times that AWS advises: it only has to outlast one invocation. A job whose worker died is
                # not kept waiting by it, as the sweeper sends a message of its own once the lease is over.
                visibility_s=worker_timeout_s + _MARGIN_S,
                dead_letter_queue=sqs.DeadLetterQueue(queue=self.dead_letters, max_receive_count=_MAX_RECEIVES),
            )
            for part in ("Queue", "Express")
        )
