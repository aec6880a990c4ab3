"""The template, synthesised once. Importing `infra` first chooses the Node that the CDK runs on."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.infra.template import NO_BUNDLING, Template, synthesise


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """As `cdk.json` says, but that the layer's packages are not installed, which needs an index."""
    return synthesise(NO_BUNDLING, tmp_path_factory.mktemp("assembly"))


@pytest.fixture(scope="session")
def other_template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """One in which everything that an operator can choose has been chosen otherwise, in the command line's words."""
    chosen = {
        "stage": "dev",
        "architecture": "x86_64",
        "base_image": f"registry.example:5000/python:3.13-slim-trixie@sha256:{'0123456789abcdef' * 4}",
        "retention_days": "3",
        "max_retention_days": "5",
        "worker_concurrency": "4",
        "worker_memory_mb": "3008",
        "worker_tmp_mb": "2048",
        "worker_timeout_s": "300",
        "region": "eu-central-1",
        "max_size_mb": "600",
        "max_duration_s": "3600",
        "source_connections": "2,bücher.example=1",
        "max_playlist_items": "20",
        "allowed_sites": "example.com,example.org",
        "denied_sites": "bücher.example",
        "domain_name": "media.example.com",
        "certificate_arn": "arn:aws:acm:eu-central-1:000000000000:certificate/made-up",
        "default_endpoint": "disable",
        "alarm_email": "operator@example.com",
        "log_retention_days": "90",
        "express_concurrency": "6",
        "webhook_concurrency": "3",
        "cors_origins": "https://example.com,http://localhost:3000",
        "allowed_origins": "127.0.0.1:8000,[::1]:8001",
        "throttle_rate": "5",
        "throttle_burst": "7",
        "layer_python": "3.11",
        "removal_policy": "destroy",
        "require_seccomp": "true",
    }
    return synthesise(NO_BUNDLING | chosen, Path(tmp_path_factory.mktemp("other")))


@pytest.fixture(scope="session")
def public_key_files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two public keys as an operator has them."""
    folder = tmp_path_factory.mktemp("keys")
    files = [folder / name for name in ("new.pub", "old.pub")]
    for file in files:
        key = ec.generate_private_key(ec.SECP256R1()).public_key()
        pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        file.write_bytes(pem)
    return [str(file) for file in files]


@pytest.fixture(scope="session")
def cloudfront_template(tmp_path_factory: pytest.TempPathFactory, public_key_files: list[str]) -> Template:
    """One whose links lead to CloudFront."""
    chosen = {"link_signer": "cloudfront", "cloudfront_public_key": ",".join(public_key_files)}
    return synthesise(NO_BUNDLING | chosen, Path(tmp_path_factory.mktemp("cloudfront")))
