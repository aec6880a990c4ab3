"""What the page may do, told to the browser: it runs its own files, talks to its own API, and shows what links lead to.

The page is shown text from strangers, such as titles. Should one of them ever be taken for markup, nothing runs.
"""

from page.settings import PageSettings

_PERMISSIONS = {
    "autoplay": "self",
    "clipboard-write": "self",  # copies links
    "fullscreen": "self",
    "picture-in-picture": "self",
}
_NOT_NEEDED = (
    "accelerometer", "camera", "clipboard-read", "display-capture", "geolocation", "gyroscope", "magnetometer",
    "microphone", "midi", "payment", "usb", "xr-spatial-tracking",
)  # fmt: skip
_ALWAYS = {
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": ", ".join(
        [f"{name}=({who})" for name, who in _PERMISSIONS.items()] + [f"{name}=()" for name in _NOT_NEEDED]
    ),
}


def headers(settings: PageSettings) -> dict[str, str]:
    return _ALWAYS | {"Content-Security-Policy": _content(settings)}


def _content(settings: PageSettings) -> str:
    """CSP, level 3, and Trusted Types, which no script here makes any of."""
    links = f"'self' {_link_origin(settings)}"
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            f"img-src {links}",
            f"media-src {links}",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


def _link_origin(settings: PageSettings) -> str:
    """Where stored media and images come from. The embedded engine's links lead to itself."""
    return settings.aws_endpoint_url or settings.link_origin
