"""The way out to addresses that strangers chose: a filtering HTTP proxy on the loopback, and its parts.

Standard library only: the fetcher's parent and the sender of webhooks run it beside their credentials.
"""

from reelhaul.egress.proxy import EgressProxy
from reelhaul.egress.upstream import Upstream

__all__ = ["EgressProxy", "Upstream"]
