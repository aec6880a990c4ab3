"""How both clients reach the network: whom they trust, and which proxies they go by."""

import contextlib
import functools
from collections.abc import Iterator

import httpx2

from reelhaul.client.errors import BadProxy

LINK_TIMEOUT = httpx2.Timeout(60.0, connect=15.0)
# Whom this machine trusts, which takes a tenth of a second to find out.
trusted = functools.cache(httpx2.create_ssl_context)


def uses_proxies(url: str) -> bool:
    """Whether the service at `url` may be reached by the proxies that the environment names.

    Over plain http it is on this machine, where a proxy would read the key: `HTTP_PROXY` says nothing of loopback.
    """
    return url.startswith("https:")


@contextlib.contextmanager
def proxies_understood() -> Iterator[None]:
    """Raises `BadProxy` for what the environment says of proxies and the HTTP library makes nothing of."""
    try:
        yield
    except (ImportError, ValueError, httpx2.InvalidURL) as error:
        raise BadProxy(
            "The proxy that HTTP_PROXY, HTTPS_PROXY or ALL_PROXY names cannot be used: it takes http:// or https:// "
            "and a host, and no SOCKS. Correct the variable, or unset it."
        ) from error
