"""Findings of cdk-nag that see right and call for no change: each by its name and place, with the reason."""

from typing import cast

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_
from constructs import IConstruct

from infra.link_distribution import LinkDistribution
from infra.link_key import LinkKey
from infra.stack import ReelhaulStack

_ANSWERED = "API Gateway waits for the answer: an error goes to the caller, and there is no event that could be lost."
_FED_BY_SQS = "Fed by SQS: a message that fails stays in its queue, and nothing calls this function asynchronously."
_OBJECT_NAMES = (
    "Objects are named at run time, after tenant, job and attempt; the wildcard stays within this one bucket."
)
_PYTHON = "One Python everywhere: the wheels of the layer, the container image and the tests are all for this version."
_NO_TRACE = "Job and tenant ids in the logs tie a job's steps together. The X-Ray SDK is in maintenance mode."


def acknowledge(stack: ReelhaulStack) -> None:
    asked_by_api = (stack.authorizer, stack.create_download, stack.get_status, stack.list_downloads, stack.docs)
    for function in (*asked_by_api, stack.retry_download, stack.delete_download, stack.page):
        _acknowledge_zip_function(function, no_dead_letters=_ANSWERED)
    _acknowledge_zip_function(
        stack.announcer, no_dead_letters="Fed by a stream: what it gives up goes to the mapping's own destination."
    )
    _acknowledge_zip_function(stack.deliver_webhooks, no_dead_letters=_FED_BY_SQS)
    _acknowledge_zip_function(
        stack.sweeper, no_dead_letters="Looks every minute at all that is due: what one call misses the next one finds."
    )
    _acknowledge_zip_function(stack.dead_letters, no_dead_letters=_FED_BY_SQS)
    if stack.rotate_link_key is not None:
        _acknowledge_zip_function(
            stack.rotate_link_key, no_dead_letters="Secrets Manager repeats a rotation that failed, all steps of it."
        )
    _acknowledge_zip_function(
        stack.tear_down, no_dead_letters="Lambda repeats a call that failed, and CloudFormation waits for the answer."
    )
    _acknowledge_image_function(stack.downloader.function, no_dead_letters=_FED_BY_SQS)
    _acknowledge_image_function(stack.inspect_source.function, no_dead_letters=_ANSWERED)
    _acknowledge_open_routes(stack)
    _acknowledge_queues(stack)
    _acknowledge_storage(stack)
    _acknowledge_alarms(stack)


def _acknowledge_zip_function(function: lambda_.Function, *, no_dead_letters: str) -> None:
    _acknowledge(function, "AwsSolutions-L1", _PYTHON)
    _acknowledge(function, "Serverless-LambdaLatestVersion", _PYTHON)
    _acknowledge(function, "Serverless-LambdaTracing", _NO_TRACE)
    _acknowledge(function, "Serverless-LambdaDLQ", no_dead_letters)


def _acknowledge_image_function(function: lambda_.Function, *, no_dead_letters: str) -> None:
    _acknowledge(function, "Serverless-LambdaTracing", _NO_TRACE)
    _acknowledge(function, "Serverless-LambdaDLQ", no_dead_letters)


def _acknowledge_open_routes(stack: ReelhaulStack) -> None:
    for route in stack.open_routes:
        _acknowledge(
            route,
            "AwsSolutions-APIG4",
            "A page, what the service is, that it is there, and that an address is none of its own: the same for all.",
        )


def _acknowledge_queues(stack: ReelhaulStack) -> None:
    for queue in (stack.work.dead_letters, stack.webhooks.dead_letters):
        _acknowledge(queue, "Serverless-SQSRedrivePolicy", "This is where the redrive policy leads to.")
    for finding in ("AwsSolutions-SQS3", "Serverless-SQSRedrivePolicy"):
        _acknowledge(
            stack.announcements.dead_letters,
            finding,
            "This is where a mapping's destination leads to; none but an operator takes what is in there.",
        )
    missing = "Serverless-LambdaEventSourceMappingDestination"
    for mapping in (*_mappings(stack.downloader.function), *_mappings(stack.deliver_webhooks)):
        _acknowledge(
            mapping, missing, "The queue's redrive policy does this; Lambda offers a destination for streams only."
        )
    _acknowledge(
        stack.dead_letters,
        missing,
        "What fails here stays in the dead-letter queue, for the 14 days that are possible.",
    )
    _acknowledge(
        stack.every_minute,
        "Serverless-EventBusDLQ",
        "A call that is lost is worth nothing a minute later: the next one comes.",
    )


def _acknowledge_alarms(stack: ReelhaulStack) -> None:
    for subscription in stack.alarms.subscriptions:
        _acknowledge(
            subscription,
            "Serverless-SNSRedrivePolicy",
            "Mail that cannot be delivered helps nobody later: the alarm itself stays in CloudWatch, with its history.",
        )


def _acknowledge_storage(stack: ReelhaulStack) -> None:
    bucket = stack.media.bucket
    _acknowledge(
        bucket,
        "AwsSolutions-S1",
        "The API's access log says which key was given a link. S3's own would be a second bucket that remembers who "
        "fetched what for longer than the media exist.",
    )
    any_object = f"AwsSolutions-IAM5[Resource::<{_logical_id(bucket)}.Arn>/*]"
    if isinstance(stack.links, LinkKey):
        _acknowledge(stack.links.user, any_object, _OBJECT_NAMES)
    else:
        _acknowledge_distribution(stack.links)
    for function in (stack.delete_download, stack.sweeper, stack.downloader.function):
        _acknowledge(function.role or function, any_object, _OBJECT_NAMES)
    _acknowledge_tear_down(stack, any_object)
    _acknowledge(
        stack.downloader.function.role or stack.downloader,
        _any_site_secret(stack),
        "Tenants and their sites are named at run time; the wildcard stays within the names that stand for them.",
    )
    _acknowledge(
        stack.pepper,
        "AwsSolutions-SMG4",
        "All access keys are hashed with it: a rotation would make every one of them void.",
    )
    _acknowledge(
        stack.webhooks.secret,
        "AwsSolutions-SMG4",
        "Receivers know what is derived from it: an operator rotates it once they are ready, and not a schedule.",
    )


def _acknowledge_distribution(links: LinkDistribution) -> None:
    reasons = {
        "AwsSolutions-CFR1": "Who may have a link is decided by who holds a key, not by country.",
        "AwsSolutions-CFR2": "It answers to nothing but a signature, which is for one object and a day.",
        "AwsSolutions-CFR3": "As with the bucket: the API's log says which key was given a link, and nobody keeps for "
        "longer than the media exist who fetched what.",
        "AwsSolutions-CFR4": "With CloudFront's own domain name its oldest TLS cannot be chosen. Clients of today take "
        "1.2 or 1.3.",
    }
    for finding, reason in reasons.items():
        _acknowledge(links.distribution, finding, reason)
    _acknowledge(
        links.secret,
        "AwsSolutions-SMG4",
        "Its public half is part of the template: an operator rotates both, with two of them trusted in between.",
    )


def _acknowledge_tear_down(stack: ReelhaulStack, any_object: str) -> None:
    """Of a stack that keeps what is in it the function has none of these rights."""
    role = stack.tear_down.role or stack.tear_down
    _acknowledge(role, any_object, _OBJECT_NAMES)
    _acknowledge(role, "AwsSolutions-IAM5[Resource::*]", "Secrets are listed for a whole account or not at all.")
    _acknowledge(
        role,
        _any_site_secret(stack),
        "The tenants' secrets are named at run time, below this.",
    )


def _any_site_secret(stack: ReelhaulStack) -> str:
    """As cdk-nag writes it: the region and its partition are known at synthesis where the settings name a region."""
    partition = "<AWS::Partition>" if cdk.Token.is_unresolved(stack.partition) else stack.partition
    region = "<AWS::Region>" if cdk.Token.is_unresolved(stack.region) else stack.region
    named = f"arn:{partition}:secretsmanager:{region}:<AWS::AccountId>:secret:{stack.sites.prefix}/*"
    return f"AwsSolutions-IAM5[Resource::{named}]"


def _mappings(function: lambda_.Function) -> list[lambda_.EventSourceMapping]:
    """What feeds the function from queues."""
    return [child for child in function.node.children if isinstance(child, lambda_.EventSourceMapping)]


def _logical_id(construct: IConstruct) -> str:
    """What the resource behind a construct is called in the template."""
    resource = cast("cdk.CfnElement", construct.node.default_child)
    return cdk.Stack.of(construct).get_logical_id(resource)


def _acknowledge(construct: IConstruct, finding: str, reason: str) -> None:
    cdk.Validations.of(construct).acknowledge(cdk.Acknowledgment(id=finding, reason=reason))
