"""SQS as it behaves and moto does not: any message may come next, twice, or again after its visibility time-out.

Messages are sent to moto. How they are handed out is up to the test: moto would do so in their order.
"""

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

_DELIVERIES = 5  # as infra/work_queue.py and infra/webhooks.py have it

_numbers = itertools.count(1)


@dataclasses.dataclass
class Letter:
    """A message in a queue. It is hidden until `visible_at`."""

    body: str
    visible_at: float
    number: int = dataclasses.field(default_factory=lambda: next(_numbers))
    deliveries: int = 0

    @property
    def receipt(self) -> str:
        return f"receipt-{self.number}"


@dataclasses.dataclass
class Queue:
    """`visibility_s` is how long a message is hidden that was handed out; `dead` gets it after too many times."""

    name: str
    visibility_s: float
    clock: Callable[[], float]
    dead: "Queue | None" = None
    letters: list[Letter] = dataclasses.field(default_factory=list)

    def add(self, body: str, *, delay_s: float = 0.0) -> None:
        """Somebody sent a message."""
        self.letters.append(Letter(body, self.clock() + delay_s))

    def event(self, letter: Letter) -> dict[str, Any]:
        """As the event source mapping, whose batch size is 1, hands it to a function."""
        record = {
            "messageId": f"message-{letter.number}", "receiptHandle": letter.receipt, "body": letter.body,
            "eventSourceARN": f"arn:aws:sqs:eu-central-1:123456789012:{self.name}",
        }  # fmt: skip
        return {"Records": [record]}

    def visible(self) -> list[Letter]:
        return [letter for letter in self.letters if letter.visible_at <= self.clock()]

    def take(self, letter: Letter) -> bool:
        """Hand out `letter`. False when it was handed out too often: then it is a dead letter."""
        if self.dead is not None and letter.deliveries >= _DELIVERIES:
            self.give_up(letter)
            return False
        letter.deliveries += 1
        letter.visible_at = self.clock() + self.visibility_s
        return True

    def give_up(self, letter: Letter) -> None:
        self.remove(letter)
        if self.dead is not None:
            self.dead.add(letter.body)

    def remove(self, letter: Letter) -> None:
        if letter in self.letters:
            self.letters.remove(letter)

    def duplicate(self, letter: Letter) -> None:
        """At least once: a copy, which lives on when the other one is deleted."""
        self.letters.append(Letter(letter.body, self.clock(), deliveries=letter.deliveries))

    def hide(self, receipt: str, seconds: float) -> None:
        """ChangeMessageVisibility."""
        for letter in self.letters:
            if letter.receipt == receipt:
                letter.visible_at = self.clock() + seconds
