"""A certification authority of the tests' own, which strict clients accept."""

import datetime
import ipaddress
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

HOST = "127.0.0.1"
_PEM = serialization.Encoding.PEM


class Authority:
    """Issues one certificate, for 127.0.0.1 and the DNS `names`. Whoever trusts `roots`, a file of PEM, trusts it.

    `certificate` and `key` are the server's, files of PEM as well. Both certificates have what Python's
    VERIFY_X509_STRICT, the default from 3.13 on, asks for (RFC 5280): key usage and key identifiers.
    """

    def __init__(self, directory: Path, *names: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.roots, self.certificate, self.key = (
            directory / name for name in ("roots.pem", "certificate.pem", "key.pem")
        )
        own, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "An authority for tests")])
        root = _certificate(issuer, issuer, own.public_key(), own, authority=True).sign(own, hashes.SHA256())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
        known_as = [x509.IPAddress(ipaddress.ip_address(HOST)), *map(x509.DNSName, names)]
        leaf = _certificate(subject, issuer, key.public_key(), own, authority=False)
        issued = leaf.add_extension(x509.SubjectAlternativeName(known_as), critical=False).sign(own, hashes.SHA256())
        self.roots.write_bytes(root.public_bytes(_PEM))
        self.certificate.write_bytes(issued.public_bytes(_PEM))
        self.key.write_bytes(key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    signer: ec.EllipticCurvePrivateKey,
    *,
    authority: bool,
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    hour = datetime.timedelta(hours=1)
    built = x509.CertificateBuilder(issuer, subject, key, x509.random_serial_number(), now - hour, now + 24 * hour)
    return (
        built.add_extension(x509.BasicConstraints(ca=authority, path_length=0 if authority else None), critical=True)
        .add_extension(_usage(authority=authority), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
