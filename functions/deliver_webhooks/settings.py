"""What this function is told by its environment."""

import dataclasses

from reelhaul.settings import LinkSettings


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DeliverySettings(LinkSettings):
    """For the function that calls webhooks."""

    table_name: str
    webhook_secret_arn: str
    webhook_queue_url: str
    allowed_origins: frozenset[str] = frozenset()  # as the downloader's
