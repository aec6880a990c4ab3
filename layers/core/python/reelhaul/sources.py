"""Which URLs may be submitted. Pure, and only the first sieve: where a connection really goes is decided by the egress
guard when it is made, since a name says nothing about the addresses behind it."""

from urllib.parse import urlsplit

from reelhaul.errors import InvalidRequest

MAX_URL_CHARS = 2048
# "Forbidden host code points" of the URL standard, as far as they get into a host here. A browser takes a backslash for
# a slash, and so the name before it for the host; who allows sites by name has to see the same host as everybody.
_NOT_IN_HOST = frozenset("\\<>^|%")


def check_source(url: str, *, field: str = "url") -> None:
    """Raises `InvalidRequest` naming `field` unless `url` is a plain http or https URL.

    Refused are yt-dlp's pseudo-URLs (`ytsearch:`) and its `__youtubedl_smuggle` marker, which would hand it parameters.
    """
    if len(url) > MAX_URL_CHARS:
        raise InvalidRequest(f"{field} is longer than {MAX_URL_CHARS} characters.", field=field)
    if any(char.isspace() or not char.isprintable() for char in url):
        raise InvalidRequest(f"{field} contains white space or control characters.", field=field)
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise InvalidRequest(f"{field} is not a URL.", field=field) from error
    if parts.scheme.lower() not in {"http", "https"} or not host:
        raise InvalidRequest(f"{field} must be an http or https URL.", field=field)
    if not _NOT_IN_HOST.isdisjoint(host):
        raise InvalidRequest(f"{field} names a host with characters that no host has.", field=field)
    if parts.username is not None or parts.password is not None:
        raise InvalidRequest(f"{field} must not contain a user name or password.", field=field)
    if "__youtubedl_smuggle" in url:
        raise InvalidRequest(f"{field} contains a reserved marker.", field=field)
