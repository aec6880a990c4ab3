"""What the template says where links lead to CloudFront."""

import dataclasses
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from deliver_webhooks.settings import DeliverySettings
from infra import public_keys
from reelhaul.settings import ReadSettings
from tests.infra.template import Template

SIGNING = {"get_status": ReadSettings, "list_downloads": ReadSettings,
           "deliver_webhooks": DeliverySettings}  # fmt: skip


def distribution(template: Template) -> dict[str, Any]:
    config: dict[str, Any] = template.only("AWS::CloudFront::Distribution")["DistributionConfig"]
    return config


def behavior(template: Template) -> dict[str, Any]:
    found: dict[str, Any] = distribution(template)["DefaultCacheBehavior"]
    return found


def test_links_lead_to_s3_unless_asked_otherwise(template: Template, other_template: Template) -> None:
    for which in (template, other_template):
        assert not [found for found in which.resources.values() if found["Type"].startswith("AWS::CloudFront::")]
        assert len(which.of_type("AWS::Lambda::LayerVersion")) == 2


def test_there_is_no_user_then_and_nothing_that_makes_keys_for_one(cloudfront_template: Template) -> None:
    for kind in ("AWS::IAM::User", "AWS::SecretsManager::RotationSchedule", "Custom::LinkKeys"):
        assert not cloudfront_template.of_type(kind)
    assert "rotate_link_key" not in cloudfront_template.functions
    assert "iam:" not in str(cloudfront_template.all_statements())


def test_nothing_is_given_out_without_https_and_a_signature(cloudfront_template: Template) -> None:
    found = behavior(cloudfront_template)
    assert found["ViewerProtocolPolicy"] == "https-only"
    (group,) = cloudfront_template.of_type("AWS::CloudFront::KeyGroup")
    assert found["TrustedKeyGroups"] == [{"Ref": group}]
    assert "TrustedSigners" not in found
    assert "CacheBehaviors" not in distribution(cloudfront_template)  # there is no other way in
    assert found["AllowedMethods"] == ["GET", "HEAD", "OPTIONS"]


def test_trusted_are_the_operators_keys(cloudfront_template: Template) -> None:
    keys = cloudfront_template.of_type("AWS::CloudFront::PublicKey")
    group = cloudfront_template.only("AWS::CloudFront::KeyGroup")["KeyGroupConfig"]
    assert sorted(item["Ref"] for item in group["Items"]) == sorted(keys)
    assert len(keys) == 2
    for key in keys.values():
        pem = key["PublicKeyConfig"]["EncodedKey"]
        loaded = serialization.load_pem_public_key(pem.encode())
        assert isinstance(loaded, ec.EllipticCurvePublicKey)
        assert pem.endswith("-----END PUBLIC KEY-----\n")


def test_a_key_has_a_resource_of_its_own_and_a_name_of_its_own(cloudfront_template: Template) -> None:
    """CloudFront changes no key, and knows names and callers' references for a whole account."""
    for name, key in cloudfront_template.of_type("AWS::CloudFront::PublicKey").items():
        config = key["PublicKeyConfig"]
        fingerprint = public_keys.fingerprint(config["EncodedKey"])
        assert fingerprint in name
        assert cloudfront_template.plain(config["Name"]) == f"Reelhaul-prod-AWS::Region-{fingerprint}"
        assert config["CallerReference"] == config["Name"]


def test_only_this_distribution_may_read_objects_and_nothing_else(cloudfront_template: Template) -> None:
    *_, statement = cloudfront_template.only("AWS::S3::BucketPolicy")["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Action"]) == ("Allow", "s3:GetObject")
    assert statement["Principal"] == {"Service": "cloudfront.amazonaws.com"}
    assert cloudfront_template.plain(statement["Resource"]) == "bucket/*"
    ((operator, condition),) = statement["Condition"].items()
    ((key, source),) = condition.items()
    assert (operator, key) == ("StringEquals", "AWS:SourceArn")
    (name,) = cloudfront_template.of_type("AWS::CloudFront::Distribution")
    expected = f"arn:AWS::Partition:cloudfront::AWS::AccountId:distribution/{name}"
    assert cloudfront_template.plain(source) == expected
    access = cloudfront_template.only("AWS::CloudFront::OriginAccessControl")["OriginAccessControlConfig"]
    assert (access["SigningBehavior"], access["SigningProtocol"]) == ("always", "sigv4")


def test_old_signatures_and_plain_http_are_refused_as_ever(cloudfront_template: Template, template: Template) -> None:
    ours, theirs = (which.only("AWS::S3::BucketPolicy")["PolicyDocument"]["Statement"] for which in
                    (template, cloudfront_template))  # fmt: skip
    assert [statement["Effect"] for statement in ours] == ["Deny", "Deny"]
    assert theirs[:2] == ours


def test_a_file_is_asked_for_each_time_so_that_a_deleted_one_is_gone(cloudfront_template: Template) -> None:
    policy = cloudfront_template.only("AWS::CloudFront::CachePolicy")["CachePolicyConfig"]
    assert (policy["MinTTL"], policy["DefaultTTL"], policy["MaxTTL"]) == (0, 0, 1)
    errors = distribution(cloudfront_template)["CustomErrorResponses"]
    assert [(error["ErrorCode"], error["ErrorCachingMinTTL"]) for error in errors] == [(403, 0), (404, 0)]


def test_what_s3s_answer_depends_on_is_told_to_it_and_kept_apart(cloudfront_template: Template) -> None:
    policy = cloudfront_template.only("AWS::CloudFront::CachePolicy")["CachePolicyConfig"]
    key = policy["ParametersInCacheKeyAndForwardedToOrigin"]
    assert key["QueryStringsConfig"] == {
        "QueryStringBehavior": "whitelist", "QueryStrings": ["response-content-disposition"],
    }  # fmt: skip
    assert key["HeadersConfig"] == {"HeaderBehavior": "whitelist", "Headers": ["Origin"]}
    assert key["CookiesConfig"] == {"CookieBehavior": "none"}
    assert (key["EnableAcceptEncodingGzip"], key["EnableAcceptEncodingBrotli"]) == (False, False)
    assert behavior(cloudfront_template)["Compress"] is False
    # CloudFront's own CORS-S3Origin, "Use managed origin request policies": Origin and what a preflight asks.
    assert behavior(cloudfront_template)["OriginRequestPolicyId"] == "88a5eaf4-2fd4-4709-b370-b4c650ea3fcf"


@pytest.mark.parametrize("function", SIGNING)
def test_who_signs_is_told_where_and_as_whom(cloudfront_template: Template, function: str) -> None:
    given = cloudfront_template.functions[function]["Environment"]["Variables"]
    fields = {field.name.upper(): field for field in dataclasses.fields(SIGNING[function])}
    needed = {name for name, field in fields.items() if field.default is dataclasses.MISSING}
    assert needed | {"LINK_DOMAIN", "LINK_KEY_IDS"} <= given.keys() <= fields.keys()
    (name,) = cloudfront_template.of_type("AWS::CloudFront::Distribution")
    assert given["LINK_DOMAIN"] == {"Fn::GetAtt": [name, "DomainName"]}
    assert cloudfront_template.plain(given["LINK_SECRET_ARN"]) == "link secret"
    told = {}
    for logical_id, key in cloudfront_template.of_type("AWS::CloudFront::PublicKey").items():
        told[public_keys.fingerprint(key["PublicKeyConfig"]["EncodedKey"])] = logical_id
    assert dict(part.split(":") for part in cloudfront_template.plain(given["LINK_KEY_IDS"]).split(",")) == told
    assert cloudfront_template.body["Outputs"]["LinkKeyIds"]["Value"] == given["LINK_KEY_IDS"]


def test_who_signs_has_what_it_takes_and_nobody_else(cloudfront_template: Template) -> None:
    (signing,) = (name for name in cloudfront_template.of_type("AWS::Lambda::LayerVersion") if "Signing" in name)
    having = {
        function
        for function, properties in cloudfront_template.functions.items()
        if {"Ref": signing} in properties.get("Layers", [])
    }
    assert having == SIGNING.keys()


def test_private_key_is_in_no_template(cloudfront_template: Template) -> None:
    assert "PRIVATE" not in cloudfront_template.text
    assert cloudfront_template.only("AWS::SecretsManager::Secret", "LinkDistribution")["GenerateSecretString"] == {}


def test_outputs_are_those_of_s3_but_for_the_rotation(cloudfront_template: Template, template: Template) -> None:
    ours, theirs = template.body["Outputs"].keys(), cloudfront_template.body["Outputs"].keys()
    assert (ours - theirs, theirs - ours) == ({"RotationFunctionName"}, {"LinkKeyIds"})
