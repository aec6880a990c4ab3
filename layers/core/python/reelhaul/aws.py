"""How AWS is reached: one way to make clients, one way to translate their errors.

By botocore, of which boto3's clients are made: what boto3 adds is for other things, and takes a while to import.
"""

import functools
import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import Loader
from botocore.session import Session

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
        # In us-east-1 as elsewhere: the older address there has no region in it.
        s3={"addressing_style": "virtual", "us_east_1_regional_endpoint": "regional"},
        read_timeout=20,  # S3 takes its time to put a large object together
        retries={"mode": "standard", "max_attempts": 4},
    )
)
_SERVICES = ("cloudformation", "dynamodb", "events", "iam", "s3", "secretsmanager", "sqs")
# At DEBUG these two write whole requests and replies, with the secrets in them: never, whatever level somebody sets.
for _name in ("botocore.endpoint", "botocore.parsers"):
    logging.getLogger(_name).setLevel(logging.INFO)


_making = threading.Lock()  # a session is for one thread


@functools.cache
def client(service: str) -> Any:
    """The process's one client of `service`, as boto3 has them. Made on first use: most calls have no need of some."""
    return _Client(service)


def s3_as(key_id: str, secret: str) -> Any:
    """A client of S3 with an access key that is not this process's own."""
    with _making:
        return _session().create_client(
            "s3", config=S3_CONFIG, aws_access_key_id=key_id, aws_secret_access_key=secret, aws_session_token=None
        )


class _Client:
    def __init__(self, service: str) -> None:
        self._service = service

    def __getattr__(self, name: str) -> Any:
        with _making:
            made = _made(self._service)
        return getattr(made, name)


@functools.cache
def _made(service: str) -> Any:
    return _session().create_client(service, config=S3_CONFIG if service == "s3" else _CONFIG)


@functools.cache
def _session() -> Session:
    session = Session()
    session.register_component("data_loader", LeanLoader())
    return session


class LeanLoader(Loader):
    """botocore's, without what most of a client's time goes to and has no say in where our services are."""

    def list_available_services(self, type_name: str) -> Any:  # noqa: ARG002 - as in the base class
        return _SERVICES  # not looked for in the folders of all 400

    def load_data_with_path(self, name: str) -> Any:
        """`endpoints`, a megabyte of all services' hosts, is what came before rules for each service.

        Only what it says of whole partitions is used with them, and that is in `partitions` as well.
        """
        if name != "endpoints":
            return super().load_data_with_path(name)
        rules, path = super().load_data_with_path("partitions")
        return {"version": 3, "partitions": [_legacy(one) for one in rules["partitions"]]}, path


def _legacy(partition: Mapping[str, Any]) -> dict[str, Any]:
    """A partition in the older form, where services are at the addresses that most have."""
    return {
        "partition": partition["id"],
        "dnsSuffix": partition["outputs"]["dnsSuffix"],
        "regionRegex": partition["regionRegex"],
        "regions": partition["regions"],
        "defaults": {
            "hostname": "{service}.{region}.{dnsSuffix}",
            "protocols": ["https"],
            "signatureVersions": ["v4"],
        },
        "services": {},
    }


@contextmanager
def translated() -> Iterator[None]:
    """What AWS cannot do becomes `ServiceUnavailable`, with its cause. Conditions are the caller's to see first."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise ServiceUnavailable from error


def error_code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
