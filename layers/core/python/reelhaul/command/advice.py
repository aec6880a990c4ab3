"""What to do about an error, by its code. Pure."""

from urllib.parse import urlsplit

_AGAIN = "It may work later: reelhaul retry {id}"
_GO_ON = "To go on with it: reelhaul get {id}"
_COOKIES = "Whoever runs the service: reelhaul sites set {host} --tenant ... --cookies cookies.txt"
_PROXY = "Whoever runs the service: reelhaul sites set {host} --tenant ..., with --cookies or --proxy"
_BY_CODE = {
    "auth.unauthorized": "Log in with a key of this service: reelhaul login",
    "client.broken": _GO_ON,
    "client.disk": _GO_ON,
    "client.file_damaged": _GO_ON,
    "client.not_reelhaul": "Look at the address once more: reelhaul login",
    "client.unreachable": _GO_ON,
    "file.expired": "Have it fetched again: reelhaul retry {id}",
    "job.cancelled": "Have it fetched all the same: reelhaul retry {id}",
    "job.crashed": _AGAIN,
    "job.damaged": "Have it fetched again: reelhaul retry {id}",
    "job.dead_letter": _AGAIN,
    "limit.bytes_per_day": "The next day begins at midnight UTC; whoever runs the service can raise the limit.",
    "limit.jobs_per_day": "The next day begins at midnight UTC; whoever runs the service can raise the limit.",
    "service.unavailable": "Try again in a minute; reelhaul doctor looks closer.",
    "site.proxy_failed": _AGAIN,
    "site.proxy_refused": "Whoever runs the service should look at the site's proxy: reelhaul sites list --tenant ...",
    "source.blocked": _PROXY,
    "source.changed": _AGAIN,
    "source.clip_out_of_range": "Let the clip begin earlier.",
    "source.extractor_broken": "Whoever runs the service can deploy it with the newest yt-dlp: make newest deploy",
    "source.geo_blocked": _PROXY,
    "source.interrupted": _AGAIN,
    "source.is_playlist": "Leave out --no-playlist to get all of them.",
    "source.live": "Say which part of it you want, as in --clip 0-60.",
    "source.login_required": _COOKIES,
    "source.no_audio": "Leave out --audio.",
    "source.not_media": "Give the address of the video or of its page.",
    "source.rate_limited": _AGAIN,
    "source.site_not_allowed": "Whoever runs the service can allow the site (allowed_sites, denied_sites).",
    "source.timed_out": _AGAIN,
    "source.too_large": "A lower --quality is smaller.",
    "source.too_slow": "A lower --quality takes less time.",
    "source.unavailable": _AGAIN,
    "source.unreachable": "Look at the address once more.",
    "source.unsupported": "Give the address of the video's own page.",
    "storage.unavailable": _AGAIN,
}


def on(code: str, *, job_id: str | None = None, url: str | None = None) -> str | None:
    """A sentence for whoever met the error, `None` where there is nothing to be done."""
    advice = _BY_CODE.get(code)
    if advice is None or ("{id}" in advice and job_id is None):
        return None
    return advice.format(id=job_id, host=_host(url) or "example.com")


def _host(url: str | None) -> str | None:
    try:
        return urlsplit(url or "").hostname
    except ValueError:  # whoever wrote it; here it is an example only
        return None


CODES = frozenset(_BY_CODE)
