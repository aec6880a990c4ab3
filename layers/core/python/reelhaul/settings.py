"""Settings: frozen, typed, read once from a mapping. Nothing else in the project reads the environment.

Each function has a class that names exactly what it needs; a field is the environment variable of the same name in
capitals. `infra` gives every function these variables, and a test compares the two.
"""

import dataclasses
import types
from collections.abc import Mapping
from typing import Any, Self, get_args, get_origin, get_type_hints

from reelhaul.connections import Connections

_CONNECTIONS = Connections("4")


class SettingsError(Exception):
    """A setting is missing or makes no sense; the message names the variable."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Settings:
    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Read every field from `env`. Raises `SettingsError` for one that is missing or of the wrong type."""
        types_by_name = get_type_hints(cls)
        values = {}
        for field in dataclasses.fields(cls):
            variable = field.name.upper()
            if variable in env:
                values[field.name] = _parse(variable, env[variable], types_by_name[field.name])
            elif field.default is dataclasses.MISSING:
                raise SettingsError(f"{variable} is not set")
        return cls(**values)


def _parse(variable: str, text: str, wanted: Any) -> Any:
    if isinstance(wanted, types.UnionType):
        wanted = next(part for part in get_args(wanted) if part is not type(None))
    if wanted is bool:
        return _flag(variable, text)
    if get_origin(wanted) is frozenset:
        return frozenset(part.strip() for part in text.split(",") if part.strip())
    try:
        return wanted(text)
    except ValueError as error:
        raise SettingsError(f"{variable} is {text!r}, which is not of type {wanted.__name__}") from error


def _flag(variable: str, text: str) -> bool:
    if text not in {"true", "false"}:  # to bool() every text but the empty one is true
        raise SettingsError(f"{variable} is {text!r}, which is neither true nor false")
    return text == "true"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizerSettings(_Settings):
    table_name: str
    pepper_secret_arn: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SubmitSettings(_Settings):
    """For the functions that create and retry jobs."""

    table_name: str
    queue_url: str
    express_queue_url: str
    retention_days: int = 7
    max_retention_days: int = 30
    max_playlist_items: int = 1000
    allowed_sites: frozenset[str] = frozenset()  # see `reelhaul.site_policy`; empty: all
    denied_sites: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LinkSettings(_Settings):
    """For the functions that sign links. Those with a `link_domain` lead to CloudFront, the others to S3."""

    bucket_name: str
    link_secret_arn: str
    link_domain: str | None = None
    link_key_ids: frozenset[str] = frozenset()  # "<fingerprint>:<id>" of the public keys that CloudFront trusts


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReadSettings(LinkSettings):
    """For the functions that show jobs and hand out links."""

    table_name: str
    hold_s: float = 20.0  # how long a status request may be held back; API Gateway gives up at 30 s


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DeleteSettings(_Settings):
    table_name: str
    bucket_name: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SweeperSettings(_Settings):
    table_name: str
    bucket_name: str
    queue_url: str
    webhook_queue_url: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterSettings(_Settings):
    table_name: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RotationSettings(_Settings):
    link_user_name: str
    bucket_name: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DownloaderSettings(_Settings):
    table_name: str
    bucket_name: str
    queue_url: str
    express_queue_url: str
    sites_prefix: str  # what the names of the secrets with tenants' cookies and proxies begin with
    allowed_origins: frozenset[str] = frozenset()  # HOST:PORT that the egress guard lets through
    allowed_sites: frozenset[str] = frozenset()  # see `reelhaul.site_policy`; empty: all
    denied_sites: frozenset[str] = frozenset()
    max_bytes: int = 8 * 1024**3  # what leaves room for a merge on Lambda's largest /tmp is set by the template
    max_duration_s: int = 0  # of a medium; 0: any
    max_total_s: int = 21_600  # that a job may take over all invocations
    source_connections: Connections = _CONNECTIONS  # that it may have to a source at once
    stack_name: str = "Reelhaul"  # what its metrics go by
    work_directory: str = "/tmp"  # noqa: S108 - the only place Lambda lets a function write
    require_seccomp: bool = False  # no job is taken on a kernel without


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AnnouncerSettings(_Settings):
    table_name: str
    bus_name: str
    webhook_queue_url: str
    stack_name: str = "Reelhaul"  # what its metrics go by


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DeliverySettings(LinkSettings):
    """For the function that calls webhooks."""

    table_name: str
    webhook_secret_arn: str
    webhook_queue_url: str
    allowed_origins: frozenset[str] = frozenset()  # as the downloader's


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class InspectSettings(_Settings):
    """For the function that looks at a source without downloading it."""

    allowed_origins: frozenset[str] = frozenset()  # as the downloader's
    allowed_sites: frozenset[str] = frozenset()
    denied_sites: frozenset[str] = frozenset()
    max_bytes: int = 64 * 1024**2  # of pages and manifests
    work_directory: str = "/tmp"  # noqa: S108 - as the downloader's
    require_seccomp: bool = False  # as the downloader's


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PageSettings(_Settings):
    """For the function that serves the page."""

    link_origins: frozenset[str]  # where links lead: scheme and host, and no path
    aws_endpoint_url: str | None = None  # the embedded engine's, which tells it all its functions


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OperatorSettings(_Settings):
    """For the command line."""

    aws_region: str | None = None  # where the CDK deploys to; boto3 reads AWS_DEFAULT_REGION only


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CommandSettings(_Settings):
    """For the command of those who want files."""

    reelhaul_url: str | None = None
    reelhaul_key: str | None = dataclasses.field(default=None, repr=False)
    xdg_config_home: str | None = None
    home: str | None = None
