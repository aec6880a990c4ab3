"""`reelhaul links`: the key pair of links by CloudFront, which an operator makes and changes."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol


class Place(Protocol):
    """A deployment: its outputs, and clients for its account."""

    outputs: dict[str, str]

    def client(self, service: str) -> Any:
        """A boto3 client."""


def add(
    commands: Any, *, add_place: Callable[[argparse.ArgumentParser], None], place: Callable[[argparse.Namespace], Place]
) -> None:
    """Add the subcommands. `place` finds the deployment that the options of `add_place` name."""
    links = commands.add_parser("links", help="make and set the key that links by CloudFront are signed with")
    actions = links.add_subparsers(required=True, metavar="ACTION")
    new = actions.add_parser("new-key", help="make a key, and its public half as FILE.pub")
    new.add_argument("--out", required=True, type=Path, metavar="FILE", help="where the private key goes")
    new.set_defaults(run=_new_key)
    given = actions.add_parser("set-key", help="have links signed with a key whose public half is deployed")
    given.add_argument("file", type=Path, metavar="FILE", help="the private key")
    given.set_defaults(run=lambda options: _set_key(options.file, lambda: place(options)))
    add_place(given)


# What works with these keys needs a package that is not there for everybody who imports the commands.


def _new_key(options: argparse.Namespace) -> int:
    from reelhaul.links.cloudfront import LinkPrivateKey  # noqa: PLC0415 - see above

    private, public = options.out, options.out.with_name(options.out.name + ".pub")
    for path in (private, public):
        if path.exists():
            return _complain(f"{path} is there already, and stays as it is.")
    key = LinkPrivateKey.made()
    private.touch(mode=0o600, exist_ok=False)
    private.write_text(key.secret)
    public.write_text(key.public_pem)
    print(f"{private} is the private key, which nobody else may see. Deploy with cloudfront_public_key={public}.")
    return 0


def _set_key(file: Path, place: Callable[[], Place]) -> int:
    from reelhaul.links.cloudfront import LinkPrivateKey, ids_by_fingerprint  # noqa: PLC0415 - see above

    key = LinkPrivateKey.of(file.read_text())
    deployed = place()
    if "LinkKeyIds" not in deployed.outputs:
        return _complain("The links of this stack are signed with an access key of S3, which is rotated by itself.")
    if key.fingerprint not in ids_by_fingerprint(deployed.outputs["LinkKeyIds"].split(",")):
        return _complain("CloudFront does not know this key yet: deploy with its public half in cloudfront_public_key.")
    secret_id = deployed.outputs["LinkSecretArn"]
    deployed.client("secretsmanager").put_secret_value(SecretId=secret_id, SecretString=key.secret)
    print("Within five minutes all links are signed with it. Those signed before need the key before for another day.")
    return 0


def _complain(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 1
