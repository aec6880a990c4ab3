"""What the template says about the table, the bucket, the queues and the secrets."""

from typing import Any

from reelhaul.links import LINK_SECONDS
from tests.infra.template import Template

QUEUES = {
    "queue", "express queue", "dead-letter queue", "webhook queue", "webhook dead-letter queue",
    "announcer's dead-letter queue",
}  # fmt: skip


def test_table_is_laid_out_as_the_store_expects(template: Template) -> None:
    table = template.only("AWS::DynamoDB::GlobalTable")
    assert _keys(table) == ("pk", "sk")
    assert {index["IndexName"]: _keys(index) for index in table["GlobalSecondaryIndexes"]} == {
        "due": ("due_shard", "due_at"),
        "status": ("status_key", "sk"),
    }
    assert {index["Projection"]["ProjectionType"] for index in table["GlobalSecondaryIndexes"]} == {"ALL"}
    types = {entry["AttributeName"]: entry["AttributeType"] for entry in table["AttributeDefinitions"]}
    assert types == {"pk": "S", "sk": "S", "due_shard": "S", "due_at": "N", "status_key": "S"}
    assert table["TimeToLiveSpecification"] == {"AttributeName": "ttl", "Enabled": True}


def test_table_is_paid_by_use_up_to_a_ceiling_and_can_be_restored(template: Template) -> None:
    table = template.only("AWS::DynamoDB::GlobalTable")
    (replica,) = table["Replicas"]
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["WriteOnDemandThroughputSettings"] == {"MaxWriteRequestUnits": 2000}
    assert replica["ReadOnDemandThroughputSettings"] == {"MaxReadRequestUnits": 4000}
    assert replica["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


def test_bucket_is_private(template: Template) -> None:
    bucket = template.only("AWS::S3::Bucket")
    assert bucket["PublicAccessBlockConfiguration"] == dict.fromkeys(
        ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True
    )
    assert bucket["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    (encryption,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}


def test_bucket_and_queues_refuse_plain_http(template: Template) -> None:
    refused: dict[str, str] = {}
    for kind in ("AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy"):
        for policy in template.of_type(kind).values():
            statement = policy["PolicyDocument"]["Statement"][0]
            assert (statement["Effect"], statement["Principal"]) == ("Deny", {"AWS": "*"})
            assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
            resources = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
            refused |= {template.plain(resource): statement["Action"] for resource in resources}
    assert refused == {"bucket": "s3:*", "bucket/*": "s3:*"} | dict.fromkeys(QUEUES, "sqs:*")


def test_queues_policies_say_nothing_else(template: Template) -> None:
    policies = template.of_type("AWS::SQS::QueuePolicy").values()
    assert {len(policy["PolicyDocument"]["Statement"]) for policy in policies} == {1}


def test_bucket_refuses_signatures_that_are_older_than_a_link_lives_and_none_that_is_not(template: Template) -> None:
    _, statement = template.only("AWS::S3::BucketPolicy")["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", {"AWS": "*"}, "s3:*")
    assert template.plain(statement["Resource"]) == "bucket/*"
    assert statement["Condition"] == {"NumericGreaterThan": {"s3:signatureAge": str(LINK_SECONDS * 1000)}}


def test_every_queue_is_encrypted(template: Template) -> None:
    assert all(queue["SqsManagedSseEnabled"] is True for queue in template.of_type("AWS::SQS::Queue").values())


def test_changes_of_the_table_are_told_with_what_was_and_what_is(template: Template) -> None:
    table = template.only("AWS::DynamoDB::GlobalTable")
    assert table["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}


def test_media_expire_two_days_after_the_longest_retention(template: Template, other_template: Template) -> None:
    assert _lifecycle(template) == {
        "Status": "Enabled",
        "ExpirationInDays": 32,
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
    }
    assert _lifecycle(other_template)["ExpirationInDays"] == 7


def test_pages_that_may_use_the_api_may_read_what_they_have_a_link_for(other_template: Template) -> None:
    (rule,) = other_template.only("AWS::S3::Bucket")["CorsConfiguration"]["CorsRules"]
    assert rule["AllowedMethods"] == ["GET", "HEAD"]
    assert (rule["AllowedOrigins"], rule["AllowedHeaders"]) == (["*"], ["*"])
    assert set(rule["ExposedHeaders"]) == {"Content-Disposition", "Content-Length", "Content-Range", "ETag"}


def test_message_reappears_only_after_its_worker_must_be_gone(template: Template, other_template: Template) -> None:
    for which, timeout_s in ((template, 900), (other_template, 300)):
        assert which.functions["downloader"]["Timeout"] == timeout_s
        for name in ("WorkQueue", "WorkExpress"):
            assert which.only("AWS::SQS::Queue", name)["VisibilityTimeout"] == timeout_s + 60


def test_dead_letter_reappears_only_after_its_function_must_be_gone(template: Template) -> None:
    dead_letters = template.only("AWS::SQS::Queue", "WorkDeadLetters")
    assert dead_letters["VisibilityTimeout"] >= 6 * template.functions["dead_letters"]["Timeout"]


def test_message_is_given_up_after_five_deliveries_and_kept_for_two_weeks(template: Template) -> None:
    for name in ("WorkQueue", "WorkExpress"):
        queue = template.only("AWS::SQS::Queue", name)
        assert template.plain(queue["RedrivePolicy"]["deadLetterTargetArn"]) == "dead-letter queue"
        assert queue["RedrivePolicy"]["maxReceiveCount"] == 5
        assert queue["MessageRetentionPeriod"] == 4 * 86_400
    dead_letters = template.only("AWS::SQS::Queue", "WorkDeadLetters")
    assert dead_letters["MessageRetentionPeriod"] == 14 * 86_400


def test_webhook_message_reappears_only_after_its_function_must_be_gone(template: Template) -> None:
    queue, dead_letters = (template.only("AWS::SQS::Queue", name) for name in ("WebhooksQueue", "WebhooksDeadLetters"))
    assert queue["VisibilityTimeout"] >= 6 * template.functions["deliver_webhooks"]["Timeout"]
    assert template.plain(queue["RedrivePolicy"]["deadLetterTargetArn"]) == "webhook dead-letter queue"
    assert queue["RedrivePolicy"]["maxReceiveCount"] == 5
    assert queue["MessageRetentionPeriod"] > 86_400  # how long a delivery is tried
    assert dead_letters["MessageRetentionPeriod"] == 14 * 86_400


def test_what_could_not_be_announced_is_kept_for_two_weeks(template: Template) -> None:
    assert template.only("AWS::SQS::Queue", "AnnouncementsDeadLetters")["MessageRetentionPeriod"] == 14 * 86_400


def test_bus_is_the_services_own(template: Template, other_template: Template) -> None:
    assert template.only("AWS::Events::EventBus") == {"Name": "Reelhaul-prod"}
    assert other_template.only("AWS::Events::EventBus") == {"Name": "Reelhaul-dev"}


def test_no_secret_is_written_in_the_template(template: Template) -> None:
    secrets = template.of_type("AWS::SecretsManager::Secret")
    assert len(secrets) == 3
    assert all("SecretString" not in secret for secret in secrets.values())
    for name in ("Pepper", "WebhooksSecret"):
        made = template.only("AWS::SecretsManager::Secret", name)["GenerateSecretString"]
        assert (made["PasswordLength"], made["ExcludePunctuation"]) == (64, True)
    assert not template.of_type("AWS::IAM::AccessKey")  # replacing one would delete the key that links are signed with


def test_what_cannot_be_made_again_is_kept_unless_asked_otherwise(template: Template, other_template: Template) -> None:
    for start in ("JobsTable", "MediaBucket4", "Pepper", "WebhooksSecret"):
        assert _deletion(template, start) == "Retain"
        assert _deletion(other_template, start) == "Delete"
    assert template.only("AWS::DynamoDB::GlobalTable")["Replicas"][0]["DeletionProtectionEnabled"] is True
    assert other_template.only("AWS::DynamoDB::GlobalTable")["Replicas"][0]["DeletionProtectionEnabled"] is False


def _keys(schema: dict[str, Any]) -> tuple[str, str]:
    names = {entry["KeyType"]: entry["AttributeName"] for entry in schema["KeySchema"]}
    return names["HASH"], names["RANGE"]


def _lifecycle(template: Template) -> dict[str, Any]:
    (rule,) = template.only("AWS::S3::Bucket")["LifecycleConfiguration"]["Rules"]
    return dict(rule)


def _deletion(template: Template, start: str) -> str:
    (found,) = (resource for name, resource in template.resources.items() if name.startswith(start))
    return str(found["DeletionPolicy"])
