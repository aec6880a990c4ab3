"""What the command is told by its environment."""

import dataclasses

from reelhaul.settings import Settings


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OperatorSettings(Settings):
    """For the command line."""

    aws_region: str | None = None  # where the CDK deploys to; boto3 reads AWS_DEFAULT_REGION only


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CommandSettings(Settings):
    """For the command of those who want files."""

    reelhaul_url: str | None = None
    reelhaul_key: str | None = dataclasses.field(default=None, repr=False)
    xdg_config_home: str | None = None
    home: str | None = None
