"""A site's cookies in yt-dlp's jar, in memory: with a `cookiefile` it would write back what the site answers.

The jar matches domain, path, https and expiry for each request, redirects and embedded media included. What a site sets
meanwhile ends with this process.
"""

import http.cookiejar
from collections.abc import Iterable

from reelhaul.sites.cookies import Cookie


def install(jar: http.cookiejar.CookieJar, cookies: Iterable[Cookie]) -> None:
    """Put `cookies` into the jar."""
    for cookie in cookies:
        jar.set_cookie(_as_jars_have_it(cookie))


def _as_jars_have_it(cookie: Cookie) -> http.cookiejar.Cookie:
    return http.cookiejar.Cookie(
        version=0,  # Netscape's, which RFC 6265 has described since
        name=cookie.name,
        value=cookie.value,
        port=None,
        port_specified=False,
        domain=f".{cookie.domain}" if cookie.with_subdomains else cookie.domain,
        domain_specified=cookie.with_subdomains,
        domain_initial_dot=cookie.with_subdomains,
        path=cookie.path,
        path_specified=True,
        secure=cookie.is_secure,
        expires=cookie.expires_at,
        discard=cookie.expires_at is None,
        comment=None,
        comment_url=None,
        rest={},
    )
