"""What every fetcher would do before it knows its job, done once: import all of it, and compile yt-dlp's patterns."""

import contextlib
import sys
import uuid
from collections.abc import Iterator
from typing import Any
from unittest import mock

from yt_dlp.extractor import gen_extractor_classes
from yt_dlp.utils.networking import random_user_agent, std_headers

_ANY = "https://media.example/clip.mp4"


def up() -> None:
    for extractor in gen_extractor_classes():
        extractor.suitable(_ANY)  # which compiles what it keeps, and asks nobody
        getattr(extractor, "real_class", None)


def draw_again() -> None:
    std_headers["User-Agent"] = random_user_agent()
