"""How many connections downloads may have to their sources. Pure."""

from urllib.parse import urlsplit

from reelhaul.site_policy import plain_host


class Connections:
    """`4,example.com=1` says 4, but 1 for what is asked for on example.com, or on a host below it.

    Of several sites that match, the longest name counts. Domains are in the form of `plain_host`. Raises `ValueError`.
    """

    def __init__(self, text: str) -> None:
        most, *others = text.split(",")
        self._most = int(most)
        pairs = [other.split("=") for other in others]
        self._by_site = {site: int(number) for site, number in pairs}

    def to(self, url: str) -> int:
        labels = plain_host(urlsplit(url).hostname or "").split(".")
        names = (".".join(labels[start:]) for start in range(len(labels)))
        return next((self._by_site[name] for name in names if name in self._by_site), self._most)
