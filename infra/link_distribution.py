"""Links by CloudFront: the distribution, the public keys that it trusts, and the secret for the private one."""

from collections.abc import Mapping

from aws_cdk import Aws, Duration, Fn, RemovalPolicy, Stack
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudfront_origins as origins
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infra import public_keys

_OVERRIDES = ["response-content-disposition"]  # what a link may ask S3 for, see `reelhaul.links`
_NO_TIME = Duration.seconds(0)


class LinkDistribution(Construct):
    """Gives the bucket's objects to who has a link signed for one, by HTTPS only, and to nobody else.

    Which private key is the current one an operator says, by storing it in the secret. Any of the public keys will do
    for a link, so that two can be trusted while one takes the other's place. Who signs needs the `environment`, and
    layers with the `packages`.
    """

    def __init__(self, scope: Construct, name: str, *, bucket: s3.IBucket, keys: tuple[str, ...]) -> None:
        super().__init__(scope, name)
        self.secret = secretsmanager.Secret(
            self,
            "Secret",
            description="The private key that download links are signed with; reelhaul links set-key puts it here",
            removal_policy=RemovalPolicy.DESTROY,  # worth nothing without the distribution
        )
        trusted = {public_keys.fingerprint(pem): self._public_key(pem) for pem in keys}
        self.distribution = cloudfront.Distribution(
            self,
            "Distribution",
            comment=Stack.of(self).stack_name,
            default_behavior=self._behavior(bucket, self._key_group(list(trusted.values()))),
            error_responses=[cloudfront.ErrorResponse(http_status=status, ttl=_NO_TIME) for status in (403, 404)],
            price_class=cloudfront.PriceClass.PRICE_CLASS_100,
            http_version=cloudfront.HttpVersion.HTTP2_AND_3,
        )
        key_ids = Fn.join(",", [f"{name}:{key.ref}" for name, key in trusted.items()])
        self.origin = f"https://{self.distribution.distribution_domain_name}"
        self.packages: tuple[str, ...] = ("signing",)
        self.outputs = {"LinkSecretArn": self.secret.secret_arn, "LinkKeyIds": key_ids}
        self.environment: Mapping[str, str] = {
            "LINK_SECRET_ARN": self.secret.secret_arn,
            "LINK_DOMAIN": self.distribution.distribution_domain_name,
            "LINK_KEY_IDS": key_ids,
        }

    def _public_key(self, pem: str) -> cloudfront.CfnPublicKey:
        """A resource of its own for each key: CloudFront cannot change one."""
        fingerprint = public_keys.fingerprint(pem)
        name = self._name(fingerprint)
        return cloudfront.CfnPublicKey(
            self,
            f"Key{fingerprint}",
            public_key_config=cloudfront.CfnPublicKey.PublicKeyConfigProperty(
                name=name, caller_reference=name, encoded_key=pem
            ),
        )

    def _key_group(self, keys: list[cloudfront.CfnPublicKey]) -> cloudfront.IKeyGroup:
        group = cloudfront.CfnKeyGroup(
            self,
            "Keys",
            key_group_config=cloudfront.CfnKeyGroup.KeyGroupConfigProperty(
                name=self._name("links"), items=[key.ref for key in keys]
            ),
        )
        return cloudfront.KeyGroup.from_key_group_id(self, "TrustedKeys", group.ref)

    def _behavior(self, bucket: s3.IBucket, trusted: cloudfront.IKeyGroup) -> cloudfront.BehaviorOptions:
        access = cloudfront.S3OriginAccessControl(self, "Access", origin_access_control_name=self._name("links"))
        return cloudfront.BehaviorOptions(
            origin=origins.S3BucketOrigin.with_origin_access_control(bucket, origin_access_control=access),
            viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.HTTPS_ONLY,
            allowed_methods=cloudfront.AllowedMethods.ALLOW_GET_HEAD_OPTIONS,
            trusted_key_groups=[trusted],
            compress=False,  # media are; and a download that is resumed needs the same bytes
            cache_policy=self._asked_each_time(),
            # The bucket answers web pages itself, preflights too, as it does without CloudFront.
            origin_request_policy=cloudfront.OriginRequestPolicy.CORS_S3_ORIGIN,
        )

    def _asked_each_time(self) -> cloudfront.CachePolicy:
        """S3 is asked about each request, so that a file that has been deleted is gone at once, for every link.

        What is the same as before need not be sent again from there. The key has in it what S3's answer depends on;
        CloudFront lets it have anything only where the longest time is not zero, and that one is for objects that ask
        to be kept, as none of ours does.
        """
        return cloudfront.CachePolicy(
            self,
            "AskedEachTime",
            cache_policy_name=self._name("links"),
            min_ttl=_NO_TIME,
            default_ttl=_NO_TIME,
            max_ttl=Duration.seconds(1),
            query_string_behavior=cloudfront.CacheQueryStringBehavior.allow_list(*_OVERRIDES),
            header_behavior=cloudfront.CacheHeaderBehavior.allow_list("Origin"),
            cookie_behavior=cloudfront.CacheCookieBehavior.none(),
        )

    def _name(self, what: str) -> str:
        """CloudFront's names are those of a whole account, whatever the region; the CDK's do not know our stage."""
        return f"{Stack.of(self).stack_name}-{Aws.REGION}-{what}"
