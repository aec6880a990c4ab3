"""A source with a part for members only, which remembers what each request brought along. Loopback only."""

from collections.abc import Callable
from pathlib import Path

from tests.media import SourceHandler, SourceServer

_NEXT = "another"


class MembersHandler(SourceHandler):
    """As its base, and /members/<path>: the same for whoever has the cookie `session`, else 403 (or `?else=<status>`).

    Members are given another `session` with each answer, good for this visit, which nobody is to remember.
    """

    server: "MembersServer"

    def do_GET(self) -> None:  # noqa: N802 - named by the base class
        host, cookies = self.headers.get("Host", ""), self.headers.get("Cookie")
        self.server.seen.append((host.partition(":")[0], self.path.partition("?")[0], cookies))
        self.server.on_request()
        if self.path.startswith("/members/"):
            if not {f"session={self.server.session}", f"session={_NEXT}"} & set((cookies or "").split("; ")):
                self.send_error(int(self.path.partition("?else=")[2] or 403))
                return
            self.path = self.path.removeprefix("/members")
            self.is_for_a_member = True
        super().do_GET()

    def end_headers(self) -> None:
        if getattr(self, "is_for_a_member", False):
            self.send_header("Set-Cookie", f"session={_NEXT}; Path=/")
            self.is_for_a_member = False
        super().end_headers()

    def serve_embedding(self, origin: str) -> None:
        """A page that shows a medium of another host, which asks nobody who they are."""
        self._send_text(f'<html><body><video src="http://{origin}/clip.mp4"></video></body></html>', "text/html")


class MembersServer(SourceServer):
    """`seen` are host, path and cookies of each request. `on_request` is called before each answer."""

    def __init__(self, directory: Path, *, session: str) -> None:
        super().__init__(directory)
        self.RequestHandlerClass = MembersHandler
        self.session = session
        self.seen: list[tuple[str, str, str | None]] = []
        self.on_request: Callable[[], None] = lambda: None

    @property
    def elsewhere(self) -> str:
        """HOST:PORT of the same server under the name of another host."""
        return f"localhost:{self.server_address[1]}"

    def cookies_seen(self, host: str = "127.0.0.1") -> set[str | None]:
        return {cookies for name, _, cookies in self.seen if name == host}


def netscape(*cookies: tuple[str, str], domain: str = "127.0.0.1", secure: bool = False, expires: int = 0) -> str:
    """Cookies of a domain (name, value) as a browser exports them."""
    rows = ("\t".join((domain, "FALSE", "/", str(secure).upper(), str(expires), *cookie)) for cookie in cookies)
    return "\n".join(["# Netscape HTTP Cookie File", "", *rows, ""])
