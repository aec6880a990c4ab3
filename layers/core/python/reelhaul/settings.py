"""Settings: frozen, typed, read once from a mapping. Nothing else in the project reads the environment.

Each function has a class that names exactly what it needs; a field is the environment variable of the same name in
capitals. `infra` gives every function these variables, and a test compares the two. What several have is here, and what
one has lies beside its handler: to make such a class takes a millisecond of each cold start.
"""

import dataclasses
import types
from collections.abc import Mapping
from typing import Any, Self, get_args, get_origin, get_type_hints


class SettingsError(Exception):
    """A setting is missing or makes no sense; the message names the variable."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
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
class SubmitSettings(Settings):
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
class LinkSettings(Settings):
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
