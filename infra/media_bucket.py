"""The bucket that the finished media lie in."""

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.allow import allow

_GRACE_DAYS = 2  # the sweeper removes what has expired; the lifecycle is for what it could not
# A link's whole life in milliseconds, as `reelhaul.links` gives it. S3 counts both a signature's age and X-Amz-Expires
# from the link's X-Amz-Date, by one clock, its own: at this age exactly neither refuses yet, so that the policy never
# ends a link of ours before its time. What it ends are URLs that somebody else signs for up to the seven days that S3
# would allow. Calls with their signature in a header, ours and CloudFront's, are minutes old, or refused anyway.
_OLDEST_SIGNATURE_MS = 86_400_000


class MediaBucket(Construct):
    """Private, TLS only. Objects are named `tenant/job/...`; none is kept longer than anybody may ask for.

    With `open_to_pages` a web page that has a link may read what is behind it, not only save it.
    """

    def __init__(
        self, scope: Construct, name: str, *, max_retention_days: int, open_to_pages: bool, removal: RemovalPolicy
    ) -> None:
        super().__init__(scope, name)
        self.bucket = s3.Bucket(
            self,
            "Bucket",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            cors=[_readable_by_web_pages()] if open_to_pages else None,
            lifecycle_rules=[
                s3.LifecycleRule(
                    expiration=Duration.days(max_retention_days + _GRACE_DAYS),
                    abort_incomplete_multipart_upload_after=Duration.days(1),
                )
            ],
            removal_policy=removal,
        )
        self._refuse_old_signatures()

    @property
    def origin(self) -> str:
        """Where links to objects lead."""
        return f"https://{self.bucket.bucket_regional_domain_name}"

    # The CDK's own grant_read, grant_put and grant_delete say s3:GetObject*, s3:List* and the like, and so include
    # versions, access lists, tags and legal holds.

    def grant_read_objects(self, grantee: iam.IGrantable) -> None:
        allow(grantee, "s3:GetObject", on=self._objects)

    def grant_store_objects(self, grantee: iam.IGrantable) -> None:
        """Write, in parts too, and look at what was written to compare it with what was meant."""
        allow(grantee, "s3:GetObject", "s3:PutObject", on=self._objects)

    def grant_remove_objects(self, grantee: iam.IGrantable) -> None:
        """Find and remove objects and unfinished uploads."""
        allow(grantee, "s3:AbortMultipartUpload", "s3:DeleteObject", on=self._objects)
        allow(grantee, "s3:ListBucket", "s3:ListBucketMultipartUploads", on=[self.bucket.bucket_arn])

    def _refuse_old_signatures(self) -> None:
        """For everybody, whatever else they may do. A request without a signature has no age, and no right either."""
        self.bucket.add_to_resource_policy(
            iam.PolicyStatement(
                effect=iam.Effect.DENY,
                principals=[iam.AnyPrincipal()],
                actions=["s3:*"],
                resources=self._objects,
                conditions={"NumericGreaterThan": {"s3:signatureAge": str(_OLDEST_SIGNATURE_MS)}},
            )
        )

    @property
    def _objects(self) -> list[str]:
        return [self.bucket.arn_for_objects("*")]


def _readable_by_web_pages() -> s3.CorsRule:
    """A page that has a link may fetch it. Its request follows our redirect with all the headers it was made with, and
    with an origin of `null` (Fetch, "HTTP-redirect fetch"): to name origins here would shut out those that are meant.
    """
    return s3.CorsRule(
        allowed_methods=[s3.HttpMethods.GET, s3.HttpMethods.HEAD],
        allowed_origins=["*"],
        allowed_headers=["*"],
        exposed_headers=["Content-Disposition", "Content-Length", "Content-Range", "ETag"],
        max_age=3600,
    )
