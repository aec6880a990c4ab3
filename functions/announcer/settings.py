"""What this function is told by its environment."""

import dataclasses

from reelhaul.settings import Settings


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AnnouncerSettings(Settings):
    table_name: str
    bus_name: str
    webhook_queue_url: str
    stack_name: str = "Reelhaul"  # what its metrics go by
