"""What CloudFormation cannot remove, since it has not made it. All may be called again, also when nothing is left."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError

from reelhaul.aws import error_code


class Unfinished(Exception):
    """Some of it is still there. The message says what to do about it."""


def remove_keys(iam: Any, user: str) -> int:
    """Delete all access keys of `user`, and so end every link that they signed. Returns how many there were."""
    keys: list[str] = []
    with _gone_is_fine("NoSuchEntity"):
        keys = [found["AccessKeyId"] for found in iam.list_access_keys(UserName=user)["AccessKeyMetadata"]]
    for key_id in keys:
        with _gone_is_fine("NoSuchEntity"):
            iam.delete_access_key(UserName=user, AccessKeyId=key_id)
    return len(keys)


def remove_secrets(secrets: Any, prefix: str) -> int:
    """Delete all secrets whose names begin with `prefix`, at once and for good. Returns how many there were.

    Those too that somebody has deleted for later: as long as they can be restored they are there.
    """
    filters = [{"Key": "name", "Values": [prefix]}]
    pages = secrets.get_paginator("list_secrets").paginate(Filters=filters, IncludePlannedDeletion=True)
    found = [secret for page in pages for secret in page["SecretList"] if secret["Name"].startswith(prefix)]
    for secret in found:
        with _gone_is_fine("ResourceNotFoundException"):
            secrets.delete_secret(SecretId=secret["ARN"], ForceDeleteWithoutRecovery=True)
    return len(found)


def empty_bucket(s3: Any, bucket: str, *, has_time: Callable[[], bool]) -> int:
    """Remove every object and every unfinished upload. Returns how many there were.

    Raises `Unfinished` when the time is over before that, or when S3 keeps an object back.
    """
    removed = 0
    with _gone_is_fine("NoSuchBucket"):
        for keys in _pages(s3, "list_objects_v2", "Contents", bucket):
            _check(has_time, bucket)
            listed = {"Objects": [{"Key": found["Key"]} for found in keys], "Quiet": True}
            kept = s3.delete_objects(Bucket=bucket, Delete=listed).get("Errors", [])
            if kept:
                raise Unfinished(f"{len(kept)} objects of {bucket} cannot be deleted, the first: {kept[0]['Code']}.")
            removed += len(keys)
        for uploads in _pages(s3, "list_multipart_uploads", "Uploads", bucket):
            _check(has_time, bucket)
            for found in uploads:
                with _gone_is_fine("NoSuchUpload"):
                    s3.abort_multipart_upload(Bucket=bucket, Key=found["Key"], UploadId=found["UploadId"])
            removed += len(uploads)
    return removed


def _pages(s3: Any, operation: str, member: str, bucket: str) -> Iterator[list[dict[str, Any]]]:
    """The pages that have something in them, a thousand entries each at most."""
    for page in s3.get_paginator(operation).paginate(Bucket=bucket):
        if page.get(member):
            yield page[member]


def _check(has_time: Callable[[], bool], bucket: str) -> None:
    if not has_time():
        raise Unfinished(f"{bucket} is not empty yet. Delete the stack again: it goes on from here.")


@contextmanager
def _gone_is_fine(code: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if error_code(error) != code:
            raise
