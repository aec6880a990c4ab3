"""Which alarms there are, what each looks at, and who is told."""

import json
from typing import Any

import pytest

from tests.infra.template import Template
from tests.infra.watching import Watched, expression_of, of_alarm

_MINUTE, _FIVE, _QUARTER, _HOUR = 60, 300, 900, 3600


def sqs(name: str, of: str, statistic: str = "Maximum", period_s: int = _MINUTE) -> Watched:
    return Watched("AWS/SQS", name, of, statistic, period_s)


def function(name: str, of: str, statistic: str = "Sum", period_s: int = _FIVE) -> Watched:
    return Watched("AWS/Lambda", name, of, statistic, period_s)


def jobs(of: str, period_s: int) -> Watched:
    return Watched("Reelhaul", "Jobs", of, "Sum", period_s)


def rate(kind: str, period_s: int) -> tuple[Watched, ...]:
    return jobs(f"failed {kind}", period_s), jobs("", period_s)


# The metrics, the comparison and what it is with; for how many periods, if more than one; what no data means.
ALARMS: dict[str, tuple[Any, ...]] = {
    "WorkDeadLetters": (
        (sqs("NumberOfMessagesReceived", "dead-letter queue", "Sum", _FIVE),), ">=", 1, 1, "notBreaching",
    ),
    "AnnouncerDeadLetters": (
        (sqs("ApproximateNumberOfMessagesVisible", "announcer's dead-letter queue"),), ">=", 1, 1, "notBreaching",
    ),
    "WebhookDeadLetters": (
        (sqs("ApproximateNumberOfMessagesVisible", "webhook dead-letter queue"),), ">=", 1, 1, "notBreaching",
    ),
    "Backlog": (
        tuple(sqs("ApproximateAgeOfOldestMessage", one) for one in ("queue", "express queue")),
        ">", 1800, 5, "notBreaching",
    ),
    "FailuresOurs": (rate("ours", _QUARTER), ">", 5, 1, "notBreaching"),
    "FailuresBlocked": (rate("blocked", _HOUR), ">", 20, 1, "notBreaching"),
    "FailuresTransient": (rate("transient", _HOUR), ">", 25, 1, "notBreaching"),
    "ExtractorBroken": ((jobs("failed broken", _HOUR),), ">=", 3, 1, "notBreaching"),
    "SweeperSilent": ((function("Invocations", "sweeper", period_s=_MINUTE),), "<", 1, 5, "breaching"),
    "SweeperFails": ((function("Errors", "sweeper"),), ">=", 3, 1, "notBreaching"),
    "DownloaderThrottled": ((function("Throttles", "downloader"),), ">=", 1, 1, "notBreaching"),
    "AnnouncerLate": ((function("IteratorAge", "announcer", "Maximum"),), ">", 600_000, 1, "notBreaching"),
    "DeadLettersFail": ((function("Errors", "dead_letters"),), ">=", 1, 1, "notBreaching"),
    "RotationFails": ((function("Errors", "rotate_link_key", period_s=_HOUR),), ">=", 1, 1, "notBreaching"),
    "TableThrottled": (
        tuple(Watched("AWS/DynamoDB", f"{one}ThrottleEvents", "table", "Sum", _FIVE) for one in ("Read", "Write")),
        ">=", 10, 1, "notBreaching",
    ),
    "ApiFails": (
        tuple(Watched("AWS/ApiGateway", one, "api", "Sum", _FIVE) for one in ("5xx", "Count")),
        ">", 5, 1, "notBreaching",
    ),
}  # fmt: skip
EXPRESSIONS = {
    "Backlog": "MAX(METRICS())",
    "FailuresOurs": "IF(part >= 3, 100 * part / whole, 0)",
    "FailuresBlocked": "IF(part >= 5, 100 * part / whole, 0)",
    "FailuresTransient": "IF(part >= 5, 100 * part / whole, 0)",
    "ApiFails": "IF(part >= 5, 100 * part / whole, 0)",
    "TableThrottled": "SUM(METRICS())",
}
_COMPARISONS = {
    "GreaterThanOrEqualToThreshold": ">=", "GreaterThanThreshold": ">", "LessThanThreshold": "<",
}  # fmt: skip


def alarms(template: Template) -> dict[str, dict[str, Any]]:
    found = template.of_type("AWS::CloudWatch::Alarm").values()
    return {alarm["AlarmName"].split("-", 2)[2]: alarm for alarm in found}


def test_there_are_these_alarms_and_no_others(template: Template) -> None:
    assert alarms(template).keys() == ALARMS.keys()


@pytest.mark.parametrize("name", ALARMS)
def test_alarm_looks_at_what_it_says(template: Template, name: str) -> None:
    alarm = alarms(template)[name]
    found = (
        of_alarm(template, alarm), _COMPARISONS[alarm["ComparisonOperator"]], alarm["Threshold"],
        alarm["EvaluationPeriods"], alarm["TreatMissingData"],
    )  # fmt: skip
    assert found == ALARMS[name]
    assert expression_of(alarm) == EXPRESSIONS.get(name)
    assert "DatapointsToAlarm" not in alarm  # all of them


@pytest.mark.parametrize("name", ALARMS)
def test_alarm_tells_what_has_happened_and_what_to_do(template: Template, name: str) -> None:
    alarm = alarms(template)[name]
    assert alarm["AlarmName"] == f"Reelhaul-prod-{name}"
    happened, what_to_do = alarm["AlarmDescription"].split(". ", 1)
    assert len(happened) > 20
    assert len(what_to_do) > 20
    assert len(alarm["AlarmDescription"]) <= 1024  # CloudWatch takes no more


def test_backlog_is_judged_by_how_long_a_download_may_take(template: Template, other_template: Template) -> None:
    """A message is in its queue for as long as it is worked on, and only what is older than that has waited."""
    for which in (template, other_template):
        longest = which.functions["downloader"]["Timeout"]
        assert alarms(which)["Backlog"]["Threshold"] == longest + 15 * 60


def test_every_dead_letter_queue_has_an_alarm(template: Template) -> None:
    targets = [
        queue["RedrivePolicy"]["deadLetterTargetArn"]
        for queue in template.of_type("AWS::SQS::Queue").values() if "RedrivePolicy" in queue
    ] + [
        source["DestinationConfig"]["OnFailure"]["Destination"]
        for source in template.of_type("AWS::Lambda::EventSourceMapping").values() if "DestinationConfig" in source
    ]  # fmt: skip
    queues = {template.plain(target) for target in targets}
    assert len(queues) == 3
    assert {metrics[0].of for metrics, _, threshold, *_ in ALARMS.values() if threshold == 1} >= queues


def test_dead_letters_that_a_function_takes_at_once_are_counted_as_they_pass(template: Template) -> None:
    taken = {
        template.plain(source["EventSourceArn"])
        for source in template.of_type("AWS::Lambda::EventSourceMapping").values()
    }
    watched = [of_alarm(template, alarm)[0] for name, alarm in alarms(template).items() if "DeadLetters" in name]
    queues = [one for one in watched if one.namespace == "AWS/SQS"]
    assert {one.name == "NumberOfMessagesReceived" for one in queues if one.of in taken} == {True}
    assert {one.name == "ApproximateNumberOfMessagesVisible" for one in queues if one.of not in taken} == {True}


# --- who is told -----------------------------------------------------------------------------------------------------


def test_without_an_address_nobody_is_told_and_nothing_is_paid_for_it(template: Template) -> None:
    for alarm in alarms(template).values():
        assert not alarm.keys() & {"AlarmActions", "OKActions", "InsufficientDataActions"}
    for kind in ("AWS::SNS::Topic", "AWS::SNS::Subscription", "AWS::KMS::Key"):
        assert not template.of_type(kind)


def test_address_hears_of_every_alarm_and_of_its_end(other_template: Template) -> None:
    (topic,) = other_template.of_type("AWS::SNS::Topic")
    assert alarms(other_template).keys() == ALARMS.keys()
    for alarm in alarms(other_template).values():
        assert alarm["AlarmActions"] == alarm["OKActions"] == [{"Ref": topic}]
    subscription = other_template.only("AWS::SNS::Subscription")
    assert subscription == {"Protocol": "email", "Endpoint": "operator@example.com", "TopicArn": {"Ref": topic}}


def test_topic_is_encrypted_with_a_key_that_alarms_may_use(other_template: Template) -> None:
    (key,) = other_template.of_type("AWS::KMS::Key")
    assert other_template.only("AWS::SNS::Topic")["KmsMasterKeyId"] == {"Fn::GetAtt": [key, "Arn"]}
    properties = other_template.only("AWS::KMS::Key")
    assert properties["EnableKeyRotation"] is True
    own, of_alarms = properties["KeyPolicy"]["Statement"]
    assert own["Principal"]["AWS"]["Fn::Join"][1][-1] == ":root"
    assert of_alarms["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert of_alarms["Action"] == ["kms:Decrypt", "kms:GenerateDataKey*"]
    _is_for_our_alarms(of_alarms)


def test_nobody_but_our_alarms_publishes_and_never_in_the_clear(other_template: Template) -> None:
    policy = other_template.only("AWS::SNS::TopicPolicy")
    in_the_clear, of_alarms = policy["PolicyDocument"]["Statement"]
    assert (in_the_clear["Effect"], in_the_clear["Principal"]) == ("Deny", "*")
    assert in_the_clear["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert (of_alarms["Effect"], of_alarms["Action"]) == ("Allow", "sns:Publish")
    assert of_alarms["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    _is_for_our_alarms(of_alarms)


def _is_for_our_alarms(statement: dict[str, Any]) -> None:
    condition = statement["Condition"]
    assert condition["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    assert ":alarm:*" in json.dumps(condition["ArnLike"]["aws:SourceArn"])
