"""What this function is told by its environment."""

import dataclasses

from reelhaul.settings import Settings


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DeleteSettings(Settings):
    table_name: str
    bucket_name: str
