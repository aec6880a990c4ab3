"""One POST to an address that a stranger chose: through a proxy that lets it reach nothing but public addresses."""

import base64
import contextlib
import http.client
import ssl
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from reelhaul.egress import EgressProxy
from reelhaul.webhooks.schedule import Outcome

DEADLINE_S = 15.0  # from the name's look-up to the status line; Standard Webhooks, "Request timeouts"
_MAX_BYTES = 256 * 1024  # of certificates, headers and the beginning of a body that nobody reads
_SAFE = "/%:@!$&'()*+,;=?-._~[]"  # what a path and a query may hold as it is (RFC 3986), escapes too


class Poster:
    """`allowed_origins` (HOST:PORT) are let through by the egress guard, wherever they are.

    `tls` decides whom to trust; without it those whom the system trusts. Its roots are read once: that takes a while.
    """

    def __init__(
        self,
        *,
        allowed_origins: frozenset[str] = frozenset(),
        tls: ssl.SSLContext | None = None,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self._allowed_origins = allowed_origins
        self._tls = tls or ssl.create_default_context()
        self._deadline_s = deadline_s

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        """POST `body` once. Redirects are not followed. Whatever happens is the outcome; nothing is raised for it."""
        deadline = time.monotonic() + self._deadline_s
        with EgressProxy(allowed_origins=self._allowed_origins, max_bytes=_MAX_BYTES, deadline=deadline) as proxy:
            try:
                return self._exchange(url, headers, body, proxy)
            except (OSError, http.client.HTTPException, ValueError) as error:  # a host name can be no name at all
                return Outcome(error=_sentence(error, proxy))

    def _exchange(self, url: str, headers: Mapping[str, str], body: bytes, proxy: EgressProxy) -> Outcome:
        parts = urlsplit(url)
        if parts.scheme.lower() != "https" or not parts.hostname:
            raise ValueError("not an https URL")
        target = quote(parts.path or "/", safe=_SAFE) + (f"?{quote(parts.query, safe=_SAFE)}" if parts.query else "")
        connection = http.client.HTTPSConnection("127.0.0.1", proxy.port, timeout=self._deadline_s, context=self._tls)
        with contextlib.closing(connection):
            host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname.encode("idna").decode()
            connection.set_tunnel(host, parts.port or 443, headers={"Proxy-Authorization": _authorization(proxy)})
            connection.connect()
            tls: Any = connection.sock
            tls.suppress_ragged_eofs = False  # or a status line that was cut off would pass for an answer
            connection.request("POST", target, body=body, headers=dict(headers))
            response = connection.getresponse()  # its body is nobody's concern, and not waited for
        return Outcome(status=response.status, retry_after_s=_retry_after_s(response.getheader("Retry-After")))


def _authorization(proxy: EgressProxy) -> str:
    parts = urlsplit(proxy.url)
    return "Basic " + base64.b64encode(f"{parts.username}:{unquote(parts.password or '')}".encode()).decode()


def _sentence(error: Exception, proxy: EgressProxy) -> str:
    """For the job's owner. The proxy knows better than the exception, which may be what its end looked like."""
    if proxy.refused:
        return "This service does not connect to the address that the target is at."
    if isinstance(error, TimeoutError) or time.monotonic() >= proxy.deadline:
        return "The target did not answer in time."
    if isinstance(error, ssl.SSLCertVerificationError):
        return "The TLS certificate of the target is not trusted."
    if isinstance(error, http.client.HTTPException | ValueError) and not isinstance(error, ConnectionError):
        return "What the target is, or answered, is not HTTPS."
    return "The target could not be reached, or broke off."


def _retry_after_s(text: str | None) -> float | None:
    """Seconds from a Retry-After header, which is a number of them or a date (RFC 9110, 10.2.3)."""
    if text is None:
        return None
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())
