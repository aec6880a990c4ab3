"""What the template says about the functions."""

import dataclasses
import json
from typing import Any

import pytest

from infra.assets import ROOT
from infra.settings import Settings
from reelhaul import settings
from tests.infra.template import Template

SETTINGS: dict[str, Any] = {
    "authorizer": settings.AuthorizerSettings,
    "create_download": settings.SubmitSettings,
    "retry_download": settings.SubmitSettings,
    "get_status": settings.ReadSettings,
    "list_downloads": settings.ReadSettings,
    "delete_download": settings.DeleteSettings,
    "sweeper": settings.SweeperSettings,
    "dead_letters": settings.DeadLetterSettings,
    "rotate_link_key": settings.RotationSettings,
    "downloader": settings.DownloaderSettings,
    "inspect_source": settings.InspectSettings,
    "page": settings.PageSettings,
    "announcer": settings.AnnouncerSettings,
    "deliver_webhooks": settings.DeliverySettings,
}
NO_SETTINGS = {"docs", "tear_down"}
IMAGES = {"downloader", "inspect_source"}
ZIPPED = sorted((SETTINGS.keys() | NO_SETTINGS) - IMAGES)


def test_there_is_a_function_for_every_folder_and_no_other(template: Template) -> None:
    folders = {path.parent.name for path in (ROOT / "functions").glob("*/handler.py")}
    assert template.functions.keys() == folders == SETTINGS.keys() | NO_SETTINGS


@pytest.mark.parametrize("function", SETTINGS)
def test_function_is_given_the_settings_it_reads_and_nothing_else(template: Template, function: str) -> None:
    given = template.functions[function]["Environment"]["Variables"]
    fields = {field.name.upper(): field for field in dataclasses.fields(SETTINGS[function])}
    needed = {name for name, field in fields.items() if field.default is dataclasses.MISSING}
    assert needed <= given.keys() <= fields.keys()
    SETTINGS[function].from_env({name: value if isinstance(value, str) else "a name" for name, value in given.items()})


@pytest.mark.parametrize("function", sorted(NO_SETTINGS))
def test_function_that_reads_no_settings_is_given_none(template: Template, function: str) -> None:
    assert "Environment" not in template.functions[function]


def test_settings_point_at_the_resources_they_are_named_for(template: Template) -> None:
    expected = {
        "TABLE_NAME": "table",
        "BUCKET_NAME": "bucket",
        "QUEUE_URL": "queue",
        "EXPRESS_QUEUE_URL": "express queue",
        "WEBHOOK_QUEUE_URL": "webhook queue",
        "WEBHOOK_SECRET_ARN": "webhook secret",
        "BUS_NAME": "bus",
        "LINK_SECRET_ARN": "link secret",
        "LINK_USER_NAME": "link user",
        "PEPPER_SECRET_ARN": "pepper",
    }
    for function in template.functions.values():
        given = function.get("Environment", {}).get("Variables", {})
        assert {
            name: template.plain(given[name]) for name in given.keys() & expected.keys()
        }.items() <= expected.items()


def test_choices_of_the_operator_reach_the_functions(template: Template, other_template: Template) -> None:
    def chosen(which: Template, function: str, name: str) -> str:
        return str(which.functions[function]["Environment"]["Variables"][name])

    assert chosen(template, "create_download", "RETENTION_DAYS") == "7"
    assert chosen(other_template, "create_download", "RETENTION_DAYS") == "3"
    assert chosen(template, "create_download", "MAX_RETENTION_DAYS") == "30"
    assert chosen(other_template, "create_download", "MAX_RETENTION_DAYS") == "5"
    for goes_out in ("downloader", "inspect_source", "deliver_webhooks"):
        assert chosen(template, goes_out, "ALLOWED_ORIGINS") == ""
        assert chosen(other_template, goes_out, "ALLOWED_ORIGINS") == "127.0.0.1:8000,[::1]:8001"
    assert int(chosen(template, "downloader", "MAX_BYTES")) == 10_240 * 1024**2 * 45 // 100
    assert int(chosen(other_template, "downloader", "MAX_BYTES")) == 600 * 1024**2
    for name, before, after in (
        ("MAX_DURATION_S", "0", "3600"), ("DENIED_SITES", "", "xn--bcher-kva.example"),
        ("SOURCE_CONNECTIONS", "4", "2,xn--bcher-kva.example=1"),
    ):  # fmt: skip
        assert (chosen(template, "downloader", name), chosen(other_template, "downloader", name)) == (before, after)
    for fetching in ("downloader", "inspect_source"):
        assert chosen(template, fetching, "REQUIRE_SECCOMP") == "false"
        assert chosen(other_template, fetching, "REQUIRE_SECCOMP") == "true"
    for asked in ("create_download", "downloader", "inspect_source"):
        assert chosen(template, asked, "ALLOWED_SITES") == ""
        assert chosen(other_template, asked, "ALLOWED_SITES") == "example.com,example.org"
        assert chosen(other_template, asked, "DENIED_SITES") == "xn--bcher-kva.example"
    assert chosen(template, "create_download", "MAX_PLAYLIST_ITEMS") == "1000"
    assert chosen(other_template, "create_download", "MAX_PLAYLIST_ITEMS") == "20"


@pytest.mark.parametrize("function", ZIPPED)
def test_zip_function_runs_on_our_python_with_both_layers(template: Template, function: str) -> None:
    properties = template.functions[function]
    assert properties["Runtime"] == "python3.13"
    assert properties["Architectures"] == ["arm64"]
    assert properties["Handler"] == f"{function}.handler.lambda_handler"
    layers = [layer["Ref"] for layer in properties["Layers"]]
    assert sorted(layers) == sorted(template.of_type("AWS::Lambda::LayerVersion"))


@pytest.mark.parametrize("function", ZIPPED)
def test_zip_holds_its_own_folder_and_nothing_else(template: Template, function: str) -> None:
    asset = template.outdir / ("asset." + template.functions[function]["Code"]["S3Key"].removesuffix(".zip"))
    assert [path.name for path in asset.iterdir()] == [function]
    assert (asset / function / "handler.py").is_file()
    assert not [path for path in asset.rglob("*") if path.name == "__pycache__" or path.suffix == ".pyc"]


def test_time_outs_are_what_each_caller_waits_for(template: Template) -> None:
    timeouts = {name: properties["Timeout"] for name, properties in template.functions.items()}
    assert timeouts == dict.fromkeys(ZIPPED, 10) | {
        "get_status": 29, "list_downloads": 29, "sweeper": 55, "rotate_link_key": 60, "downloader": 900,
        "inspect_source": 29, "announcer": 60, "deliver_webhooks": 30, "tear_down": 900,
    }  # fmt: skip


def test_every_function_writes_to_a_log_of_its_own_that_is_not_kept_forever(
    template: Template, other_template: Template
) -> None:
    groups = template.of_type("AWS::Logs::LogGroup")
    used = [function["LoggingConfig"]["LogGroup"]["Ref"] for function in template.functions.values()]
    assert len(set(used)) == len(used)
    assert set(used) <= groups.keys()
    assert {group["RetentionInDays"] for group in groups.values()} == {30}
    assert {group["RetentionInDays"] for group in other_template.of_type("AWS::Logs::LogGroup").values()} == {90}


def test_downloader_is_an_image_as_large_as_the_settings_say(template: Template, other_template: Template) -> None:
    def size(which: Template) -> tuple[Any, ...]:
        found = which.functions["downloader"]
        storage = found["EphemeralStorage"]["Size"]
        return found["PackageType"], found["Architectures"], found["MemorySize"], storage, found["Timeout"]

    assert size(template) == ("Image", ["arm64"], 1769, 10_240, 900)
    assert size(other_template) == ("Image", ["x86_64"], 3008, 2048, 300)


def test_inspection_has_a_whole_processor_for_as_long_as_the_api_waits(template: Template) -> None:
    found = template.functions["inspect_source"]
    assert (found["PackageType"], found["Architectures"], found["Timeout"]) == ("Image", ["arm64"], 29)
    assert found["MemorySize"] >= 1769


def test_one_image_is_built_and_started_in_two_ways(template: Template) -> None:
    codes = [template.functions[function]["Code"] for function in ("downloader", "inspect_source")]
    assert codes[0] == codes[1]
    commands = [template.functions[function]["ImageConfig"] for function in ("downloader", "inspect_source")]
    assert commands == [
        {"Command": ["downloader.handler.lambda_handler"]}, {"Command": ["inspect_source.handler.lambda_handler"]},
    ]  # fmt: skip


def test_image_holds_what_its_dockerfile_copies_and_nothing_else(template: Template) -> None:
    ((name, image),) = json.loads((template.outdir / "Reelhaul.assets.json").read_text())["dockerImages"].items()
    context = template.outdir / image["source"]["directory"]
    assert name in json.dumps(template.functions["downloader"]["Code"])
    assert image["source"]["dockerFile"] == "functions/downloader/Dockerfile"
    assert image["source"]["platform"] == "linux/arm64"
    files = {str(path.relative_to(context)) for path in context.rglob("*") if path.is_file()}
    assert {"functions/downloader/requirements.txt", "functions/downloader/handler.py"} <= files
    assert "layers/core/python/reelhaul/jobs.py" in files
    copied = ("functions/downloader/", "functions/inspect_source/", "layers/core/python/reelhaul/")
    assert all(file.startswith(copied) for file in files)
    dockerfile = (context / "functions/downloader/Dockerfile").read_text()
    assert all(f"COPY {path.rstrip('/')} " in dockerfile for path in copied)
    assert "functions/inspect_source/handler.py" in files
    assert not [file for file in files if "__pycache__" in file]


def test_image_is_built_for_the_architecture_and_on_the_base_that_were_chosen(
    template: Template, other_template: Template
) -> None:
    def build(which: Template) -> tuple[str, dict[str, str]]:
        ((_, image),) = json.loads((which.outdir / "Reelhaul.assets.json").read_text())["dockerImages"].items()
        return image["source"]["platform"], image["source"]["dockerBuildArgs"]

    chosen = json.loads((ROOT / "cdk.json").read_text())["context"].get("base_image", Settings().base_image)
    assert build(template) == ("linux/arm64", {"BASE": chosen})
    platform, arguments = build(other_template)
    assert platform == "linux/amd64"
    assert arguments == {"BASE": f"registry.example:5000/python:3.13-slim-trixie@sha256:{'0123456789abcdef' * 4}"}


def test_base_is_the_dockerfiles_own_unless_another_is_chosen() -> None:
    dockerfile = (ROOT / "functions/downloader/Dockerfile").read_text()
    assert f"ARG BASE={Settings().base_image}\n" in dockerfile


def test_layer_is_another_one_for_another_python(template: Template, other_template: Template) -> None:
    def codes(which: Template) -> dict[str, str]:
        return {name: layer["Content"]["S3Key"] for name, layer in which.of_type("AWS::Lambda::LayerVersion").items()}

    before, after = codes(template), codes(other_template)
    assert [name for name in before if before[name] != after[name]] == [
        name for name in before if name.startswith("FunctionsDependencies")
    ]


@pytest.mark.parametrize(("queue", "at_once", "other"), [("queue", 10, 4), ("express queue", 2, 6)])
def test_downloader_takes_one_message_at_a_time(
    template: Template, other_template: Template, queue: str, at_once: int, other: int
) -> None:
    source = _event_source(template, "downloader", queue)
    assert source["BatchSize"] == 1
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert source["ScalingConfig"] == {"MaximumConcurrency": at_once}
    assert _event_source(other_template, "downloader", queue)["ScalingConfig"] == {"MaximumConcurrency": other}


def test_dead_letters_are_taken_one_at_a_time(template: Template) -> None:
    source = _event_source(template, "dead_letters")
    assert template.plain(source["EventSourceArn"]) == "dead-letter queue"
    assert source["BatchSize"] == 1
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_webhooks_are_taken_one_at_a_time(template: Template, other_template: Template) -> None:
    source = _event_source(template, "deliver_webhooks")
    assert template.plain(source["EventSourceArn"]) == "webhook queue"
    assert source["BatchSize"] == 1
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert source["ScalingConfig"] == {"MaximumConcurrency": 10}
    assert _event_source(other_template, "deliver_webhooks")["ScalingConfig"] == {"MaximumConcurrency": 3}


def test_announcer_sees_every_change_from_the_first_within_a_second(template: Template) -> None:
    source = _event_source(template, "announcer")
    assert template.plain(source["EventSourceArn"]) == "table's stream"
    assert (source["StartingPosition"], source["BatchSize"]) == ("TRIM_HORIZON", 100)
    assert source["MaximumBatchingWindowInSeconds"] == 1
    assert source.get("ParallelizationFactor", 1) == 1


def test_change_that_cannot_be_announced_is_tried_alone_and_long_and_then_noted(template: Template) -> None:
    source = _event_source(template, "announcer")
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert source["BisectBatchOnFunctionError"] is True
    assert "MaximumRetryAttempts" not in source  # it is the age that counts
    assert 12 * 3600 < source["MaximumRecordAgeInSeconds"] < 24 * 3600  # while DynamoDB still has it
    assert template.plain(source["DestinationConfig"]["OnFailure"]["Destination"]) == "announcer's dead-letter queue"


@pytest.mark.parametrize(
    ("kind", "partition", "before", "after"),
    [
        ("MODIFY", "TENANT#acme", "RUNNING", "DONE"),
        ("MODIFY", "TENANT#acme", "EXPANDED", "DONE"),
        ("MODIFY", "TENANT#acme", "QUEUED", "FAILED"),
        ("MODIFY", "TENANT#acme", "RUNNING", "CANCELLED"),
        ("REMOVE", "TENANT#acme", "QUEUED", None),
        ("REMOVE", "TENANT#acme", "DONE", None),
    ],
)
def test_announcer_is_called_when_a_job_ends_or_is_removed(
    template: Template, kind: str, partition: str, before: str | None, after: str | None
) -> None:
    assert _is_announced(template, kind, partition, before, after)


@pytest.mark.parametrize(
    ("kind", "partition", "before", "after"),
    [
        ("INSERT", "TENANT#acme", None, "QUEUED"),
        ("MODIFY", "TENANT#acme", "QUEUED", "RUNNING"),
        ("MODIFY", "TENANT#acme", "RUNNING", "RUNNING"),  # a heartbeat
        ("MODIFY", "TENANT#acme", "DONE", "DONE"),  # a delivery's progress
        ("MODIFY", "TENANT#acme", "DONE", "EXPIRED"),
        ("MODIFY", "TENANT#acme", "FAILED", "QUEUED"),
        ("MODIFY", "TENANT#acme#counts", "", ""),
        ("REMOVE", "TENANT#acme#requests", "", None),
        ("INSERT", "DELETED", None, ""),
        ("MODIFY", "KEY#0", "", ""),
    ],
)
def test_announcer_is_not_called_for_anything_else(
    template: Template, kind: str, partition: str, before: str | None, after: str | None
) -> None:
    assert not _is_announced(template, kind, partition, before, after)


def _is_announced(template: Template, kind: str, partition: str, before: str | None, after: str | None) -> bool:
    """Of an item with the states `before` and `after`: "" has none, `None` is not there."""
    change: dict[str, Any] = {"Keys": {"pk": {"S": partition}, "sk": {"S": "1"}}}
    for image, state in (("OldImage", before), ("NewImage", after)):
        if state is not None:
            change[image] = {"pk": {"S": partition}} | ({"state": {"S": state}} if state else {})
    filters = [json.loads(f["Pattern"]) for f in _event_source(template, "announcer")["FilterCriteria"]["Filters"]]
    return any(_matches(pattern, {"eventName": kind, "dynamodb": change}) for pattern in filters)


def _matches(pattern: dict[str, Any], event: dict[str, Any]) -> bool:
    """As far as our patterns go; Lambda, "Filter rule syntax"."""
    for name, wanted in pattern.items():
        found = event.get(name)
        if isinstance(wanted, dict):
            if not (isinstance(found, dict) and _matches(wanted, found)):
                return False
        elif not any(_fits(rule, found) for rule in wanted):
            return False
    return True


def _fits(rule: Any, found: Any) -> bool:
    if not isinstance(rule, dict):
        return bool(rule == found)
    if "prefix" in rule:
        return isinstance(found, str) and found.startswith(rule["prefix"])
    return rule == {"exists": True} and found is not None


def test_sweeper_runs_every_minute(template: Template) -> None:
    rule = template.only("AWS::Events::Rule")
    assert (rule["ScheduleExpression"], rule["State"]) == ("rate(1 minute)", "ENABLED")
    (target,) = rule["Targets"]
    assert template.function_behind(target["Arn"]) == "sweeper"
    permission = _permission(template, "events.amazonaws.com")
    assert template.function_behind(permission["FunctionName"]) == "sweeper"
    assert permission["SourceArn"]["Fn::GetAtt"][0] in template.of_type("AWS::Events::Rule")


def test_link_key_is_rotated_at_once_and_then_monthly(template: Template) -> None:
    rotation = template.only("AWS::SecretsManager::RotationSchedule")
    assert template.plain(rotation["SecretId"]) == "link secret"
    assert rotation["RotationRules"] == {"AutomaticallyAfterDays": 30}
    assert rotation["RotateImmediatelyOnUpdate"] is True
    assert template.function_behind(rotation["RotationLambdaARN"]) == "rotate_link_key"
    permission = _permission(template, "secretsmanager.amazonaws.com")
    assert template.function_behind(permission["FunctionName"]) == "rotate_link_key"
    assert permission["SourceAccount"] == {"Ref": "AWS::AccountId"}


def _event_source(template: Template, function: str, queue: str | None = None) -> dict[str, Any]:
    """The one of `function`, or where it has several, the one that takes from `queue`."""
    sources = template.of_type("AWS::Lambda::EventSourceMapping").values()
    (found,) = (
        source
        for source in sources
        if template.function_behind(source["FunctionName"]) == function
        and queue in {None, template.plain(source["EventSourceArn"])}
    )
    return found


def _permission(template: Template, principal: str) -> dict[str, Any]:
    permissions = template.of_type("AWS::Lambda::Permission").values()
    (found,) = (permission for permission in permissions if permission["Principal"] == principal)
    return found
