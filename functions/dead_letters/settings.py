"""What this function is told by its environment."""

import dataclasses

from reelhaul.settings import Settings


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterSettings(Settings):
    table_name: str
