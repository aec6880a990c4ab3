"""The dashboard shows what there is, and leaves out nothing that is measured."""

from reelhaul import metrics
from tests.infra.template import Template
from tests.infra.watching import OF_OURS, board, on_dashboard


def test_dashboard_is_called_like_the_stack(template: Template, other_template: Template) -> None:
    assert template.only("AWS::CloudWatch::Dashboard")["DashboardName"] == "Reelhaul-prod"
    assert other_template.only("AWS::CloudWatch::Dashboard")["DashboardName"] == "Reelhaul-dev"


def test_every_metric_on_the_dashboard_is_one_that_somebody_writes(template: Template) -> None:
    assert len(list(on_dashboard(template))) > 30  # each is looked up on its way


def test_everything_that_is_measured_is_on_the_dashboard(template: Template) -> None:
    shown = [one for one in on_dashboard(template) if one.namespace == metrics.NAMESPACE]
    assert {one.name for one in shown} == OF_OURS.keys()
    assert {one.of for one in shown if one.name == metrics.JOBS} == {f"{out} {kind}" for out, kind in metrics.SERIES}


def test_broken_extractors_are_found_by_their_names(template: Template) -> None:
    (search,) = [
        one[0]["expression"]
        for widget in board(template)["widgets"]
        for one in widget["properties"].get("metrics", [])
        if isinstance(one[0], dict)
    ]
    assert search == (
        "SEARCH('{Reelhaul,extractor,service} MetricName=\"ExtractorBroken\" service=\"Reelhaul-prod\"', 'Sum')"
    )


def test_every_alarm_and_every_dead_letter_queue_is_on_the_dashboard(template: Template) -> None:
    (shown,) = [widget["properties"]["alarms"] for widget in board(template)["widgets"] if widget["type"] == "alarm"]
    assert {one["Fn::GetAtt"][0] for one in shown} == template.of_type("AWS::CloudWatch::Alarm").keys()
    queues = {one.of for one in on_dashboard(template) if one.namespace == "AWS/SQS"}
    of_work = {"queue", "express queue"}
    assert queues == of_work | {"dead-letter queue", "webhook dead-letter queue", "announcer's dead-letter queue"}


def test_it_is_one_dashboard_of_a_dozen_widgets(template: Template) -> None:
    widgets = board(template)["widgets"]
    assert len(widgets) == 12
    assert {(widget["width"], widget["height"]) for widget in widgets} == {(8, 6)}
    assert {widget["x"] for widget in widgets} == {0, 8, 16}
