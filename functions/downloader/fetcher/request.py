"""What the parent asks for."""

import dataclasses
import json
import urllib.parse
from pathlib import Path
from typing import Self

MAX_REQUEST_BYTES = 64 * 1024


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """As `downloader.fetch.FetchRequest`, and where the way out and the working directory are."""

    url: str
    quality: str
    download_type: str
    proxy: str
    directory: Path
    max_bytes: int
    max_memory_bytes: int

    @classmethod
    def parse(cls, data: bytes) -> Self:
        fields = json.loads(data)
        return cls(**{**fields, "directory": Path(fields["directory"])})

    @property
    def proxy_address(self) -> tuple[str, int]:
        parts = urllib.parse.urlsplit(self.proxy)
        return str(parts.hostname), int(parts.port or 0)

    @property
    def proxy_password(self) -> str:
        return urllib.parse.urlsplit(self.proxy).password or ""

    @property
    def max_height(self) -> int | None:
        """Lines of picture, None for the best there is."""
        return None if self.quality == "best" else int(self.quality.removesuffix("p"))

    @property
    def wants_audio(self) -> bool:
        return self.download_type == "audio"
