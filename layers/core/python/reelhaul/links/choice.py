"""Which way of signing links a deployment has."""

from typing import Any

from reelhaul.links.s3 import S3Links
from reelhaul.links.signer import LinkSigner
from reelhaul.settings import LinkSettings


def signer_of(settings: LinkSettings, secrets: Any) -> LinkSigner:
    """The one that `settings` are for. `secrets` is a boto3 Secrets Manager client."""
    if settings.link_domain is None:
        return S3Links(secrets, settings.link_secret_arn, settings.bucket_name)
    from reelhaul.links.cloudfront import CloudFrontLinks  # noqa: PLC0415 - needs a package that is only there for it

    return CloudFrontLinks(
        secrets, settings.link_secret_arn, f"https://{settings.link_domain}", key_ids=settings.link_key_ids
    )
