"""A synthesised assembly goes to the engine as the CDK's command line does it: assets first, then CloudFormation."""

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from infra.local.engine import REGION, Engine

_ACCOUNT = "000000000000"
_BOOTSTRAP = "/cdk-bootstrap/hnb659fds/version"  # what `cdk bootstrap` would have left; the template asks for it


def deploy(engine: Engine, assembly: Path, stack: str) -> dict[str, str]:
    """Create or update the assembly's stack as `stack`, and return its outputs; at once if it is deployed already."""
    template = next(assembly.glob("*.template.json"))
    body = template.read_text()
    digest = hashlib.sha256(body.encode()).hexdigest()
    cloudformation = engine.client("cloudformation")
    found = _describe(cloudformation, stack)
    if found is None or digest not in json.dumps(found.get("Tags", [])):
        if found is None:
            _clear(cloudformation, stack)
        url = _publish(engine, template)
        engine.client("ssm").put_parameter(Name=_BOOTSTRAP, Value="30", Type="String", Overwrite=True)
        _apply(cloudformation, stack, url, digest, new=found is None)
        found = _describe(cloudformation, stack)
    outputs = (found or {}).get("Outputs", [])
    return {output["OutputKey"]: output["OutputValue"] for output in outputs}


def _clear(cloudformation: Any, stack: str) -> None:
    """Remove what an earlier deployment that failed or was interrupted has left of the stack."""
    cloudformation.delete_stack(StackName=stack)
    cloudformation.get_waiter("stack_delete_complete").wait(
        StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )


def _describe(cloudformation: Any, stack: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError:
        return None
    return found if found["StackStatus"] in {"CREATE_COMPLETE", "UPDATE_COMPLETE"} else None


def _apply(cloudformation: Any, stack: str, url: str, digest: str, *, new: bool) -> None:
    call, waiter = (
        (cloudformation.create_stack, "stack_create_complete")
        if new
        else (cloudformation.update_stack, "stack_update_complete")
    )
    capabilities = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]
    call(StackName=stack, TemplateURL=url, Capabilities=capabilities, Tags=[{"Key": "template", "Value": digest}])
    cloudformation.get_waiter(waiter).wait(StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": 60})


def _publish(engine: Engine, template: Path) -> str:
    """Put the file assets where the template expects them; the image is not built, see `infra.local.runtime`."""
    s3 = engine.client("s3")
    template_url = ""
    manifest = template.with_name(template.name.replace(".template.", ".assets."))
    for asset in json.loads(manifest.read_text())["files"].values():
        source = template.parent / asset["source"]["path"]
        body = _zipped(source) if asset["source"]["packaging"] == "zip" else source.read_bytes()
        for place in asset["destinations"].values():
            bucket = place["bucketName"].replace("${AWS::AccountId}", _ACCOUNT).replace("${AWS::Region}", REGION)
            s3.create_bucket(Bucket=bucket)  # in this region it succeeds for an own bucket that exists
            s3.put_object(Bucket=bucket, Key=place["objectKey"], Body=body)
            if source == template:
                template_url = f"{engine.url}/{bucket}/{place['objectKey']}"
    return template_url


def _zipped(directory: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path in sorted(directory.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(directory))
    return buffer.getvalue()
