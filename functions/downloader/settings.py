"""What this function is told by its environment."""

import dataclasses

from reelhaul.connections import Connections
from reelhaul.settings import Settings

_CONNECTIONS = Connections("4")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DownloaderSettings(Settings):
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
