"""Links: addresses of media that anybody may fetch for 24 hours, whoever runs the code that signs them.

Signed with a user's key for S3, `s3.py`, or with a private key for CloudFront, `cloudfront.py`: `signer_of` decides.
"""

from reelhaul.links.choice import signer_of
from reelhaul.links.keys import AccessKey, SigningKeys
from reelhaul.links.s3 import S3Links
from reelhaul.links.signer import LINK_SECONDS, Link, LinkSigner

__all__ = ["LINK_SECONDS", "AccessKey", "Link", "LinkSigner", "S3Links", "SigningKeys", "signer_of"]
