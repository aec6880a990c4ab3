"""What ministack 1.5.33 does otherwise than AWS, as a deployment by the CDK's command line under IAM notices.

Installed before the engine reads its state.
"""
# ruff: noqa: SLF001 - who mends the engine has to reach into it

import json
from typing import Any

from ministack.core import iam_actions
from ministack.services import ecr, s3, secretsmanager
from ministack.services.cloudformation import provisioners


def install() -> None:
    _refer_to_secrets_by_arn()
    _miss_images_that_are_not_there()
    _name_repositories_that_are_described()
    _keep_buckets_that_are_not_empty()


def _refer_to_secrets_by_arn() -> None:
    """A template's `Ref` to a secret is its ARN; the engine gives the name, on which no policy matches."""
    handler = provisioners._RESOURCE_HANDLERS["AWS::SecretsManager::Secret"]
    create, update, delete = handler["create"], handler["update"], handler["delete"]

    def created(*arguments: Any) -> tuple[str, dict[str, Any]]:
        _name, attributes = create(*arguments)
        return attributes["Arn"], attributes

    def updated(physical_id: str, *arguments: Any) -> tuple[str, dict[str, Any]]:
        _name, attributes = update(_secret_name(physical_id), *arguments)
        return attributes.get("Arn", physical_id), attributes

    def deleted(physical_id: str, *arguments: Any) -> Any:
        return delete(_secret_name(physical_id), *arguments)

    handler.update(create=created, update=updated, delete=deleted)


def _secret_name(physical_id: str) -> str:
    """The engine's own name for a secret. State that was written without this mend has it as the physical id."""
    secrets = secretsmanager._secrets
    return next((str(name) for name, secret in secrets.items() if secret["ARN"] == physical_id), physical_id)


def _miss_images_that_are_not_there() -> None:
    """`DescribeImages` of an unknown tag is an error; the engine finds nothing, which the CDK takes for an image."""
    describe = ecr._describe_images

    def describe_strictly(data: dict[str, Any]) -> Any:
        repository, wanted = data.get("repositoryName"), data.get("imageIds") or []
        if repository in ecr._repositories and not all(ecr._find_image(repository, one) for one in wanted):
            return ecr.error_response_json("ImageNotFoundException", "The image requested does not exist.", 400)
        return describe(data)

    ecr._describe_images = describe_strictly


def _name_repositories_that_are_described() -> None:
    """`DescribeRepositories` is checked against the repository that it names; the engine checks it against all.

    Service Authorization Reference, "Actions defined by Amazon Elastic Container Registry".
    """
    find = iam_actions.extract_resource_arn

    def find_repository(service: str, *request: Any) -> str:
        *_, body, _query, region, account = request
        found = str(find(service, *request))
        names = _described(body) if service == "ecr" and found == "*" else []
        return f"arn:aws:ecr:{region}:{account}:repository/{names[0]}" if len(names) == 1 else found

    iam_actions.extract_resource_arn = find_repository


def _described(body: bytes) -> list[str]:
    try:
        asked = json.loads(body)
    except ValueError:
        return []
    return list(asked.get("repositoryNames") or []) if isinstance(asked, dict) else []


def _keep_buckets_that_are_not_empty() -> None:
    """CloudFormation fails to delete a bucket with something in it; the engine deletes that along."""
    handler = provisioners._RESOURCE_HANDLERS["AWS::S3::Bucket"]
    delete = handler["delete"]

    def delete_if_empty(name: str, *arguments: Any) -> Any:
        bucket = s3._buckets.get(name)
        if bucket is not None and (bucket["objects"] or s3._bucket_has_versions(name)):
            raise ValueError("The bucket you tried to delete is not empty (BucketNotEmpty)")
        return delete(name, *arguments)

    handler["delete"] = delete_if_empty
