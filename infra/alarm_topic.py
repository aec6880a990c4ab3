"""Who is told of alarms: a topic, with the operator's address."""

from aws_cdk import ArnFormat, Aws, Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from constructs import Construct

_CLOUDWATCH = "cloudwatch.amazonaws.com"


class AlarmTopic(Construct):
    """Encrypted, TLS only. This account's alarms may publish, and nobody else.

    The key is one of our own (a dollar a month): that of AWS's for SNS cannot be used by CloudWatch, whose alarms would
    be lost without a word ("Encrypting messages published to Amazon SNS", AWS's documentation of CloudWatch).
    """

    def __init__(self, scope: Construct, name: str, *, email: str) -> None:
        super().__init__(scope, name)
        key = kms.Key(
            self,
            "Key",
            description="For what alarms say on their way to the operator",
            enable_key_rotation=True,
            pending_window=Duration.days(7),
            removal_policy=RemovalPolicy.DESTROY,
        )
        key.add_to_resource_policy(self._of_alarms("kms:Decrypt", "kms:GenerateDataKey*", on="*"))
        self.topic = sns.Topic(self, "Topic", display_name=Stack.of(self).stack_name, master_key=key, enforce_ssl=True)
        # A policy of one's own replaces SNS's default one, which lets the account's alarms in.
        self.topic.add_to_resource_policy(self._of_alarms("sns:Publish", on=self.topic.topic_arn))
        self.subscription = sns.Subscription(
            self, "Address", topic=self.topic, protocol=sns.SubscriptionProtocol.EMAIL, endpoint=email
        )

    def _of_alarms(self, *actions: str, on: str) -> iam.PolicyStatement:
        stack = Stack.of(self)
        alarms = stack.format_arn(
            service="cloudwatch", resource="alarm", resource_name="*", arn_format=ArnFormat.COLON_RESOURCE_NAME
        )
        return iam.PolicyStatement(
            principals=[iam.ServicePrincipal(_CLOUDWATCH)],
            actions=list(actions),
            resources=[on],
            conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}, "ArnLike": {"aws:SourceArn": alarms}},
        )
