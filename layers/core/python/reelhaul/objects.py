"""The objects in S3 that belong to jobs: whether one is there, and how everything a job left is removed."""

from collections.abc import Collection, Iterator
from typing import Any

from reelhaul import ids
from reelhaul.aws import translated


class MediaBucket:
    """`client` is a boto3 S3 client."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def clean(
        self,
        tenant: str,
        job_id: str,
        *,
        keep: Collection[str] = (),
        fence: int | None = None,
        up_to: int | None = None,
    ) -> int:
        """Remove every object and open upload of a job but the objects `keep`.

        With `fence` only those under it; with `up_to` only those under this fence and earlier ones, so that whoever has
        claimed the job since is left alone. Returns how many there were.
        """
        prefix = ids.object_prefix(tenant, job_id) + ("" if fence is None else f"{fence}.")
        with translated():
            uploads = [(key, upload_id) for key, upload_id in self._uploads(prefix) if _is_within(key, up_to)]
            keys = [key for key in self._keys(prefix) if key not in keep and _is_within(key, up_to)]
            for key, upload_id in uploads:
                self._client.abort_multipart_upload(Bucket=self._bucket, Key=key, UploadId=upload_id)
            for key in keys:
                self._client.delete_object(Bucket=self._bucket, Key=key)
        return len(uploads) + len(keys)

    def _keys(self, prefix: str) -> Iterator[str]:
        for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix):
            yield from (found["Key"] for found in page.get("Contents", []))

    def _uploads(self, prefix: str) -> Iterator[tuple[str, str]]:
        for page in self._client.get_paginator("list_multipart_uploads").paginate(Bucket=self._bucket, Prefix=prefix):
            yield from ((found["Key"], found["UploadId"]) for found in page.get("Uploads", []))


def _is_within(key: str, up_to: int | None) -> bool:
    """Whether the fence in an object's name is at most `up_to`. No worker of today writes a name without one."""
    fence = key.rpartition("/")[2].partition(".")[0]
    return up_to is None or not fence.isdecimal() or int(fence) <= up_to
