"""The tests' source, which also counts the bytes that it served, and has as many names for a medium as are wanted."""

import os
import time
from pathlib import Path
from typing import IO, Any, Self
from urllib.parse import urlsplit

from infra.local.media import make_mp4
from tests.media import SourceHandler, SourceServer

LARGE_BYTES = 40 * 1024**2  # three parts


class _Counted:
    """A file that is read, and how many bytes of it."""

    def __init__(self, file: IO[bytes], server: "CountingServer", path: str) -> None:
        self._file, self._server, self._path = file, server, path

    def read(self, count: int) -> bytes:
        data = self._file.read(count)
        self._server.served[self._path] = self._server.served.get(self._path, 0) + len(data)
        self._server.served_at[self._path] = time.time()
        return data


class _Handler(SourceHandler):
    server: "CountingServer"

    def send_bytes(self, file: Any, count: int) -> None:
        super().send_bytes(_Counted(file, self.server, urlsplit(self.path).path), count)  # type: ignore[arg-type]  # read is all it takes


class CountingServer(SourceServer):
    """`served` counts bytes by path, as `hits` counts requests; `served_at` is when the last ones went out."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.RequestHandlerClass = _Handler
        self.served: dict[str, int] = {}
        self.served_at: dict[str, float] = {}
        make_mp4(directory / "long.mp4", duration_s=8)
        _make_large(directory)

    def __enter__(self) -> Self:
        super().__enter__()
        return self

    def named(self, medium: str, name: str) -> str:
        """Another path, below this server, of a medium that is there: /`name`.<its ending>."""
        path = f"{name}.{medium.rpartition('.')[2]}"
        if not (self.directory / path).exists():
            os.link(self.directory / medium, self.directory / path)
        return path


def _make_large(directory: Path) -> None:
    """A medium of more than one part. Players skip a box of the type `free` (ISO/IEC 14496-12, 8.1.2)."""
    clip = (directory / "clip.mp4").read_bytes()
    room = LARGE_BYTES - len(clip)
    (directory / "large.mp4").write_bytes(clip + room.to_bytes(4, "big") + b"free" + bytes(room - 8))
