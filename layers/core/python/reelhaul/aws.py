"""How AWS is reached: one way to make clients, one way to translate their errors."""

import functools
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from reelhaul.errors import ServiceUnavailable

_CONFIG = Config(
    # All tries together fit into the ten seconds that most functions have, so that they can still say what is wrong.
    connect_timeout=1,
    read_timeout=3,
    retries={"mode": "standard", "max_attempts": 2},
    # SigV4 and the bucket's own host name: boto3's defaults still presign for S3 in ways that newer buckets reject.
    signature_version="v4",
    max_pool_connections=16,
)
S3_CONFIG = _CONFIG.merge(
    Config(
        signature_version="s3v4",
        s3={"addressing_style": "virtual"},
        read_timeout=20,  # S3 takes its time to put a large object together
        retries={"mode": "standard", "max_attempts": 4},
    )
)
# At DEBUG these two write whole requests and replies, with the secrets in them: never, whatever level somebody sets.
for _name in ("botocore.endpoint", "botocore.parsers"):
    logging.getLogger(_name).setLevel(logging.INFO)


@functools.cache
def client(service: str) -> Any:
    """The process's one client of `service`. Made on first use: a client made at import time costs every cold start."""
    return boto3.client(service, config=S3_CONFIG if service == "s3" else _CONFIG)  # type: ignore[call-overload]  # stubs: literal names only


@contextmanager
def translated() -> Iterator[None]:
    """What AWS cannot do becomes `ServiceUnavailable`, with its cause. Conditions are the caller's to see first."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise ServiceUnavailable from error


def error_code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
