"""Links by CloudFront, judged by what AWS documents of signed URLs."""

import base64
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from botocore.signers import CloudFrontSigner
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from infra import public_keys
from reelhaul import aws
from reelhaul.errors import ServiceUnavailable
from reelhaul.links import LinkSigner, S3Links, signer_of
from reelhaul.links.cloudfront import CloudFrontLinks, LinkPrivateKey, NotAKey
from reelhaul.settings import LinkSettings
from tests.cloudfront_judgement import Refused, judge
from tests.conftest import Cloud
from tests.faults import refused

ORIGIN = "https://d111111abcdef8.cloudfront.net"
KEY = "acme/download-1/1.mp4"
NOW = datetime(2026, 11, 22, tzinfo=UTC)
PRIVATE = LinkPrivateKey.made()
KEY_IDS = frozenset({f"{PRIVATE.fingerprint}:K1", "0123456789abcdef:K0"})
TRUSTED = {"K1": PRIVATE.public_pem}


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def secret(cloud: Cloud) -> str:
    arn: str = aws.client("secretsmanager").create_secret(Name="private", SecretString=PRIVATE.secret)["ARN"]
    return arn


@pytest.fixture
def signer(secret: str, clock: time_machine.Traveller) -> CloudFrontLinks:
    return CloudFrontLinks(aws.client("secretsmanager"), secret, ORIGIN, key_ids=KEY_IDS)


def store(secret: str, text: str) -> None:
    aws.client("secretsmanager").put_secret_value(SecretId=secret, SecretString=text)


def test_a_link_is_for_one_object_and_lives_a_day_to_the_second(
    signer: CloudFrontLinks, clock: time_machine.Traveller
) -> None:
    link = signer.sign(KEY)
    parts = urlsplit(link.url)
    assert (f"{parts.scheme}://{parts.netloc}", parts.path) == (ORIGIN, f"/{KEY}")
    assert link.expires_at == NOW.timestamp() + 86_400
    for age_s in (0, 86_399):
        clock.move_to(NOW.timestamp() + age_s)
        judge(link.url, trusted=TRUSTED)
    clock.move_to(NOW.timestamp() + 86_400)
    with pytest.raises(Refused, match="AccessDenied"):
        judge(link.url, trusted=TRUSTED)


def test_a_link_says_nothing_that_could_stand_for_more_than_its_object(signer: CloudFrontLinks) -> None:
    """A custom policy could; with a canned one CloudFront goes by the address that it was asked for."""
    query = parse_qs(urlsplit(signer.sign("acme/*/?.mp4").url).query)
    assert query.keys() == {"Expires", "Signature", "Key-Pair-Id", "Hash-Algorithm"}
    assert (query["Key-Pair-Id"], query["Hash-Algorithm"]) == (["K1"], ["SHA256"])
    assert urlsplit(signer.sign("acme/*/?.mp4").url).path == "/acme/%2A/%3F.mp4"


@pytest.mark.parametrize("key", ["acme/a b+c&d=e.mp4", "acme/ünï/文字/😀.mp4", "acme/%2F#?.mp4"])
def test_any_name_of_an_object_is_signed(signer: CloudFrontLinks, key: str) -> None:
    judge(signer.sign(key).url, trusted=TRUSTED)


def test_a_link_under_another_name_has_that_name_signed(signer: CloudFrontLinks) -> None:
    disposition = 'attachment; filename="ä & b.mp4"'
    link = signer.sign_as(KEY, disposition=disposition)
    judge(link.url, trusted=TRUSTED)
    assert parse_qs(urlsplit(link.url).query)["response-content-disposition"] == [disposition]
    with pytest.raises(Refused, match="AccessDenied"):
        judge(link.url.replace("attachment", "inline", 1), trusted=TRUSTED)


def other_pair() -> str:
    return LinkPrivateKey.made().public_pem


@pytest.mark.parametrize(
    ("tampered", "trusted", "code"),
    [
        (lambda url: url.replace("1.mp4", "2.mp4"), TRUSTED, "AccessDenied"),
        (lambda url: url.replace(".mp4?", ".mp4?response-content-disposition=inline&"), TRUSTED, "AccessDenied"),
        (lambda url: url.replace("d111111abcdef8", "d222222abcdef8"), TRUSTED, "AccessDenied"),
        (lambda url: url.replace("Expires=1", "Expires=2"), TRUSTED, "AccessDenied"),
        (lambda url: url.replace("&Hash-Algorithm=SHA256", ""), TRUSTED, "AccessDenied"),
        (lambda url: url.replace("Key-Pair-Id=K1", "Key-Pair-Id=K2"), TRUSTED, "InvalidKey"),
        (lambda url: url, {"K1": other_pair()}, "AccessDenied"),
        (lambda url: url.partition("?")[0], TRUSTED, "MissingKey"),
    ],
)
def test_control_what_was_tampered_with_is_refused(
    signer: CloudFrontLinks, tampered: Callable[[str], str], trusted: dict[str, str], code: str
) -> None:
    url = signer.sign(KEY).url
    with pytest.raises(Refused, match=code):
        judge(tampered(url), trusted=trusted)


def test_what_is_signed_is_botocores_canned_policy(signer: CloudFrontLinks) -> None:
    """Byte for byte; botocore itself knows neither this hash nor these keys."""
    asked: list[bytes] = []

    def theirs(message: bytes) -> bytes:
        asked.append(message)
        return b"signature"

    link = signer.sign(KEY)
    until = datetime.fromtimestamp(link.expires_at, UTC).replace(tzinfo=None)
    CloudFrontSigner("K1", theirs).generate_presigned_url(f"{ORIGIN}/{KEY}", date_less_than=until)
    query = parse_qs(urlsplit(link.url).query)
    signature = base64.b64decode(query["Signature"][0].translate(str.maketrans("-_~", "+=/")))
    public = serialization.load_pem_public_key(PRIVATE.public_pem.encode())
    assert isinstance(public, ec.EllipticCurvePublicKey)
    public.verify(signature, asked[0], ec.ECDSA(hashes.SHA256()))


def test_5000_links_fit_into_one_reply_of_lambda(signer: CloudFrontLinks) -> None:
    assert len(signer.sign(f"{'t' * 40}/download-{'0' * 26}/12.mp4").url) < 600


# --- keys, and their change -------------------------------------------------------------------------------------------


def test_a_key_that_takes_anothers_place_is_picked_up_and_leaves_its_links_alive(
    secret: str, clock: time_machine.Traveller
) -> None:
    new = LinkPrivateKey.made()
    both = {*KEY_IDS, f"{new.fingerprint}:K2"}
    signer = CloudFrontLinks(aws.client("secretsmanager"), secret, ORIGIN, key_ids=both)
    before = signer.sign(KEY).url
    store(secret, new.secret)
    clock.shift(301)
    after = signer.sign(KEY).url
    assert parse_qs(urlsplit(after).query)["Key-Pair-Id"] == ["K2"]
    for url in (before, after):
        judge(url, trusted=TRUSTED | {"K2": new.public_pem})
    assert [key.secret for key in signer.keys.candidates()] == [new.secret, PRIVATE.secret]


def test_a_key_whose_public_half_is_not_deployed_signs_nothing(signer: CloudFrontLinks, secret: str) -> None:
    store(secret, LinkPrivateKey.made().secret)
    with pytest.raises(ServiceUnavailable):
        signer.sign(KEY)


@pytest.mark.parametrize("text", [" ", "{}", "a random text as the template puts it there", PRIVATE.public_pem])
def test_without_a_key_in_the_secret_nothing_is_signed(signer: CloudFrontLinks, secret: str, text: str) -> None:
    store(secret, text)
    with pytest.raises(ServiceUnavailable):
        signer.sign_as(KEY, disposition="attachment")


def test_a_secret_that_cannot_be_read_is_service_unavailable(signer: CloudFrontLinks) -> None:
    with refused("secretsmanager", "GetSecretValue"), pytest.raises(ServiceUnavailable):
        signer.sign(KEY)


def test_keys_of_other_kinds_are_none() -> None:
    encoding, private = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    for key in (rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP384R1())):
        pem = key.private_bytes(encoding, private, serialization.NoEncryption()).decode()
        with pytest.raises(NotAKey, match=r"^The key is not on the curve P-256 \(prime256v1\)\.$"):
            LinkPrivateKey.of(pem)
    locked = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        encoding, private, serialization.BestAvailableEncryption(b"password")
    )
    with pytest.raises(NotAKey, match="unencrypted"):
        LinkPrivateKey.of(locked.decode())


def test_a_key_as_openssl_writes_it_is_one() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    ).decode()
    assert "BEGIN EC PRIVATE KEY" in pem
    assert LinkPrivateKey.of(pem).fingerprint == public_keys.fingerprint(LinkPrivateKey.of(pem).public_pem)


def test_a_key_never_shows_its_secret() -> None:
    shown = f"{PRIVATE} {PRIVATE!r} {[PRIVATE]}"
    assert "PRIVATE KEY" not in shown
    assert PRIVATE.secret.splitlines()[1] not in shown


def test_template_and_functions_have_one_name_for_a_key() -> None:
    assert public_keys.fingerprint(public_keys.read(PRIVATE.public_pem)) == PRIVATE.fingerprint


# --- whether there is something ---------------------------------------------------------------------------------------


@contextmanager
def edge(status: int, server: str | None) -> Iterator[tuple[str, list[str]]]:
    """Stands for CloudFront. Yields its origin and what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            asked.append(self.path)
            self.send_response_only(status)
            if server is not None:
                self.send_header("Server", server)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing is written where the tests' results are."""

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{running.server_port}", asked
    finally:
        running.shutdown()
        thread.join()
        running.server_close()


@pytest.mark.parametrize(
    ("status", "server", "there"),
    [(200, "AmazonS3", True), (403, "AmazonS3", False), (404, "AmazonS3", False)],
)
def test_what_s3_says_of_an_object_is_the_answer(secret: str, status: int, server: str, *, there: bool) -> None:
    with edge(status, server) as (origin, asked):
        signer = CloudFrontLinks(aws.client("secretsmanager"), secret, origin, key_ids=KEY_IDS)
        assert signer.reaches(KEY) is there
    (path,) = asked
    judge(origin + path, trusted=TRUSTED)


@pytest.mark.parametrize(
    ("status", "server"), [(403, "CloudFront"), (403, None), (502, "CloudFront"), (503, "AmazonS3")]
)
def test_what_cloudfront_refuses_itself_stays_unknown(secret: str, status: int, server: str | None) -> None:
    """Else a key that it does not know would make all files look deleted."""
    with edge(status, server) as (origin, _):
        signer = CloudFrontLinks(aws.client("secretsmanager"), secret, origin, key_ids=KEY_IDS)
        with pytest.raises(ServiceUnavailable):
            signer.reaches(KEY)


def test_a_distribution_that_cannot_be_reached_stays_unknown(secret: str) -> None:
    with edge(200, None) as (origin, _):
        pass
    with pytest.raises(ServiceUnavailable):
        CloudFrontLinks(aws.client("secretsmanager"), secret, origin, key_ids=KEY_IDS).reaches(KEY)


# --- which of the two -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("domain", "made"), [(None, S3Links), ("d111111abcdef8.cloudfront.net", CloudFrontLinks)])
def test_the_deployment_says_who_signs(cloud: Cloud, secret: str, domain: str | None, made: type[LinkSigner]) -> None:
    settings = LinkSettings(
        bucket_name=cloud.bucket,
        link_secret_arn=secret if domain else cloud.link_secret,
        link_domain=domain,
        link_key_ids=KEY_IDS,
    )
    signer = signer_of(settings, aws.client("secretsmanager"))
    assert isinstance(signer, made)
    assert signer.sign(KEY).url.startswith(f"{ORIGIN}/{KEY}?") is (domain is not None)
