"""What an operator may choose, read from the CDK's context (`cdk.json`, or `--context name=value`) and checked once."""

import contextlib
import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Literal, Self

from infra import public_keys

Architecture = Literal["arm64", "x86_64"]
RemovalPolicy = Literal["retain", "destroy"]
LinkSigner = Literal["s3", "cloudfront"]
EndpointPolicy = Literal["keep", "disable"]

_MOST_KEYS = 5
# Names and tags as registries have them (OCI distribution specification, "Pulling manifests").
_IMAGE = r"([a-z0-9.-]+(:\d+)?/)?[a-z0-9]+([._/-]+[a-z0-9]+)*:\w[\w.-]{0,127}(@sha256:[0-9a-f]{64})?"
_PLATFORMS = {"arm64": "aarch64-manylinux2014", "x86_64": "x86_64-manylinux2014"}


# What CloudWatch Logs takes (PutRetentionPolicy in its API reference).
LOG_RETENTION_DAYS = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365,
    400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
)  # fmt: skip
MAX_SITES_CHARS = 3000  # Lambda takes 4 KB of environment, all variables together


class SettingsError(Exception):
    """A value in the context makes no sense; the message is one sentence that names it."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Names and units as in the context. `layer_*` say for which interpreter the zip functions' wheels are chosen."""

    stage: str = "prod"
    region: str | None = None  # where the credentials say
    architecture: Architecture = "arm64"
    base_image: str = "python:3.13-slim-trixie"  # as in the Dockerfile; with a digest, a build can be repeated
    retention_days: int = 7
    max_retention_days: int = 30  # what a request may ask for
    worker_concurrency: int = 10
    worker_memory_mb: int = 1769  # one whole CPU, for Deno and ffmpeg; moving bytes takes a tenth of it
    worker_tmp_mb: int = 10_240  # Lambda's largest, for what cannot be streamed; it costs a hundredth of the memory
    worker_timeout_s: int = 900
    max_size_mb: int = 4608  # what is streamed may be larger than the worker's /tmp
    max_duration_s: int = 0  # any
    max_total_s: int = 21_600
    source_connections: str = "4"  # as `reelhaul.connections` has it
    max_playlist_items: int = 1000
    allowed_sites: tuple[str, ...] = ()  # all
    denied_sites: tuple[str, ...] = ()
    express_concurrency: int = 2  # the least that Lambda takes
    webhook_concurrency: int = 10
    allowed_origins: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()  # no page of another origin
    throttle_rate: int = 50
    throttle_burst: int = 100
    link_signer: LinkSigner = "s3"
    cloudfront_public_key: tuple[str, ...] = ()  # as PEM
    domain_name: str | None = None
    certificate_arn: str | None = None
    default_endpoint: EndpointPolicy = "keep"
    alarm_email: str | None = None
    log_retention_days: int = 30
    layer_python: str = "3.13"
    layer_platform: str = _PLATFORMS["arm64"]
    removal_policy: RemovalPolicy = "retain"
    require_seccomp: bool = False  # Lambda's kernels are not ours to choose

    @classmethod
    def from_context(cls, context: Mapping[str, object]) -> Self:
        """Read every field from `context`. Raises `SettingsError`, also for a name that only looks like one of ours."""
        ours = {name: value for name, value in context.items() if re.fullmatch(r"[a-z]+(_[a-z]+)*", name)}
        for name in ours.keys() - _PARSERS.keys():
            raise SettingsError(f"{name} is not a setting; there are {', '.join(_PARSERS)}.")
        values = {name: _PARSERS[name](name, value) for name, value in ours.items()}
        if "architecture" in values:
            values.setdefault("layer_platform", _PLATFORMS[str(values["architecture"])])
        settings = cls(**values)  # type: ignore[arg-type]  # each parser gives its field's type
        if settings.retention_days > settings.max_retention_days:
            days, most = settings.retention_days, settings.max_retention_days
            raise SettingsError(f"retention_days is {days}; it must be at most max_retention_days, which is {most}.")
        settings._check_domain()
        settings._check_sites()
        settings._check_links()
        return settings

    def _check_domain(self) -> None:
        if self.domain_name is not None and "." not in self.domain_name:
            raise SettingsError(f"domain_name is {self.domain_name!r}; it must be a domain such as media.example.com.")
        if (self.domain_name is None) != (self.certificate_arn is None):
            given, missing = (
                ("domain_name", "certificate_arn") if self.domain_name else ("certificate_arn", "domain_name")
            )
            raise SettingsError(f"{given} is given without {missing}; a custom domain takes both.")
        if self.default_endpoint == "disable" and self.domain_name is None:
            raise SettingsError("default_endpoint is 'disable'; it must be keep unless domain_name gives another one.")
        if self.region and self.certificate_arn and self.certificate_arn.split(":")[3] != self.region:
            raise SettingsError(
                f"certificate_arn is {self.certificate_arn!r}; it must be of a certificate in region, which is "
                f"{self.region}."
            )

    def _check_links(self) -> None:
        if self.link_signer == "cloudfront" and not self.cloudfront_public_key:
            raise SettingsError(
                "link_signer is cloudfront, which needs cloudfront_public_key; `reelhaul links new-key` makes one."
            )

    def _check_sites(self) -> None:
        lists = (",".join(self.allowed_sites), ",".join(self.denied_sites), self.source_connections)
        chars = sum(map(len, lists))
        if chars > MAX_SITES_CHARS:
            raise SettingsError(
                f"allowed_sites, denied_sites and source_connections have {chars:,} characters; it must be at most "
                f"{MAX_SITES_CHARS:,} together, which is what a Lambda function's environment has room for."
            )

    @property
    def max_bytes(self) -> int:
        """The largest media. What has to lie in files is also bounded by the disk, see `downloader.room`."""
        return self.max_size_mb * 1024**2


_Parser = Callable[[str, object], object]


def _number(least: int, most: int) -> _Parser:
    def parse(name: str, value: object) -> int:
        text = str(value)
        if isinstance(value, bool) or not re.fullmatch(r"\d{1,9}", text) or not least <= int(text) <= most:
            raise SettingsError(f"{name} is {value!r}; it must be a whole number from {least} to {most}.")
        return int(text)

    return parse


def _text(pattern: str, description: str) -> _Parser:
    def parse(name: str, value: object) -> str:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise SettingsError(f"{name} is {value!r}; it must be {description}.")
        return value

    return parse


def _flag(name: str, value: object) -> bool:
    """In JSON's words, which on the command line are text."""
    if str(value) not in {"true", "false", "True", "False"}:
        raise SettingsError(f"{name} is {value!r}; it must be true or false.")
    return str(value).lower() == "true"


def _one_of(*choices: int) -> _Parser:
    def parse(name: str, value: object) -> int:
        if isinstance(value, bool) or str(value) not in map(str, choices):
            raise SettingsError(f"{name} is {value!r}; it must be one of {', '.join(map(str, choices))}.")
        return int(str(value))

    return parse


def _list(pattern: str, description: str) -> _Parser:
    """A list, or the same as text with commas, since the command line knows only text."""

    def parse(name: str, value: object) -> tuple[str, ...]:
        parts = value.split(",") if isinstance(value, str) else value
        if isinstance(parts, list | tuple):
            found = [part.strip() if isinstance(part, str) else None for part in parts if part != ""]
            if all(part is not None and re.fullmatch(pattern, part) for part in found):
                return tuple(str(part) for part in found)
        raise SettingsError(
            f"{name} is {value!r}; it must be a list of {description}, or the same as text with commas."
        )

    return parse


def _public_keys(name: str, value: object) -> tuple[str, ...]:
    """Files, or keys themselves, which are read. A key group of CloudFront has room for five."""
    parts = value.split(",") if isinstance(value, str) else value
    found: list[str] = []
    if isinstance(parts, list | tuple) and 1 <= len(parts) <= _MOST_KEYS:
        with contextlib.suppress(ValueError, AttributeError):
            found = [public_keys.read(part.strip()) for part in parts]
    if not found:
        # What was given may hold a private key, and is not repeated then.
        shown = "not such" if "-----" in str(value) else repr(value)
        raise SettingsError(
            f"{name} is {shown}; it must be a file with a public key on the curve P-256 as PEM, or up to "
            f"{_MOST_KEYS} of them with commas."
        )
    return tuple(dict.fromkeys(found))


def _domain(name: str, value: object) -> str:
    """In ASCII and lower case (IDNA 2003). No address, port or wildcard: a site stands for its subdomains anyway."""
    try:
        domain = value.strip().encode("idna").decode("ascii").lower() if isinstance(value, str) else ""
    except UnicodeError:
        domain = ""
    if len(domain) > 253 or not re.fullmatch(_DOMAIN, domain):
        raise SettingsError(f"{name} is {value!r}; it must be a domain such as example.com.")
    return domain


def _domains(name: str, value: object) -> tuple[str, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple):
        raise SettingsError(f"{name} is {value!r}; it must be a list of domains such as example.com.")
    return tuple(dict.fromkeys(_domain(name, part) for part in parts if part != ""))


def _connections(name: str, value: object) -> str:
    """A number, or as text with commas that and others for single sites, by their domains."""
    most, *others = str(value).split(",")
    try:
        pairs = [other.partition("=") for other in others]
        sites = [f"{_domain(name, site)}={_at_once(name, number.strip())}" for site, _, number in pairs]
        return ",".join([f"{_at_once(name, most.strip())}", *sites])
    except SettingsError:
        raise SettingsError(
            f"{name} is {value!r}; it must be a whole number from 1 to 16, and after a comma maybe others for single "
            "sites, as in 4,example.com=1."
        ) from None


_at_once = _number(1, 16)
_DOMAIN = r"([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\.)*[a-z]([a-z0-9-]{0,61}[a-z0-9])?"  # no address ends in a letter

_PARSERS: dict[str, _Parser] = {
    "stage": _text(r"[a-z][a-z0-9-]{0,19}", "1 to 20 lower-case letters, digits and hyphens, a letter first"),
    "region": _text(r"[a-z]{2}(-[a-z]+)+-\d", "a region such as eu-central-1"),
    "architecture": _text("arm64|x86_64", "arm64 or x86_64"),
    "base_image": _text(_IMAGE, "an image's name and tag, and maybe its digest, as python:3.13-slim-trixie@sha256:..."),
    "retention_days": _number(1, 365),
    "max_retention_days": _number(1, 365),
    "worker_concurrency": _number(2, 1000),  # the limits of an SQS event source's maximum concurrency
    "worker_memory_mb": _number(1536, 10_240),  # the fetcher alone may take a gigabyte
    "worker_tmp_mb": _number(512, 10_240),
    "worker_timeout_s": _number(30, 900),
    "max_size_mb": _number(1, 1_048_576),  # 1 TiB, well below what 10,000 parts hold
    "max_duration_s": _number(0, 604_800),
    "max_total_s": _number(900, 43_200),  # uploads that stay incomplete are removed after a day
    "source_connections": _connections,
    "max_playlist_items": _number(1, 1000),
    "allowed_sites": _domains,
    "denied_sites": _domains,
    "express_concurrency": _number(2, 1000),
    "webhook_concurrency": _number(2, 1000),
    "allowed_origins": _list(r"(\[[0-9a-f:.]+\]|[\w.-]+):\d{1,5}", "HOST:PORT"),
    "cors_origins": _list(r"\*|https?://[\w.-]+(:\d{1,5})?", "origins such as https://example.com"),
    "throttle_rate": _number(1, 10_000),  # what an account is given; API Gateway takes more and does not do it
    "throttle_burst": _number(1, 5_000),
    "link_signer": _text("s3|cloudfront", "s3 or cloudfront"),
    "cloudfront_public_key": _public_keys,
    "domain_name": _domain,
    "certificate_arn": _text(
        r"arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate/[A-Za-z0-9-]+", "the ARN of a certificate in ACM"
    ),
    "default_endpoint": _text("keep|disable", "keep or disable"),
    "alarm_email": _text(r"[^@\s,]+@[^@\s,]+\.[^@\s,]+", "an e-mail address"),
    "log_retention_days": _one_of(*LOG_RETENTION_DAYS),
    "layer_python": _text(r"3\.\d{1,2}", "a Python version such as 3.13"),
    "layer_platform": _text(r"[a-z0-9_]+(-[a-z0-9_]+)+", "a platform as uv names it, such as aarch64-manylinux2014"),
    "removal_policy": _text("retain|destroy", "retain or destroy"),
    "require_seccomp": _flag,
}
