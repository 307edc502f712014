"""A certificate authority and a server certificate, made on the spot, sound or with one chosen flaw."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from enum import Enum
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "::1")


class Validity(Enum):
    """When a server certificate is valid: days before and after now."""

    NOW = (-1, 30)
    EXPIRED = (-30, -1)
    NOT_YET = (1, 30)


class Chain(Enum):
    """Whether an intermediate CA stands between root and server, and whether the server sends its certificate."""

    DIRECT = "direct"
    COMPLETE = "complete"
    INCOMPLETE = "incomplete"


class _Issuer(NamedTuple):
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


class BenchTls:
    """A new root CA and, issued by it, a certificate for `hosts` (names and addresses).

    `root_ca`: the root's certificate, PEM text. A station that does not know the CA is one with another's root_ca.
    """

    def __init__(
        self,
        hosts: tuple[str, ...] = LOOPBACK_HOSTS,
        validity: Validity = Validity.NOW,
        chain: Chain = Chain.DIRECT,
    ) -> None:
        root = _issue("Bench root CA", None, (-1, 365), ca=True)
        issuer = root
        if chain is not Chain.DIRECT:
            issuer = _issue("Bench intermediate CA", root, (-1, 365), ca=True)
        server = _issue(hosts[0], issuer, validity.value, hosts=hosts)
        sent = [server.certificate, issuer.certificate] if chain is Chain.COMPLETE else [server.certificate]
        self.root_ca = _pem([root.certificate])
        self.hosts = hosts
        self._chain = _pem(sent)
        self._key = server.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()

    def server_context(self) -> ssl.SSLContext:
        """The TLS context with the server's certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with TemporaryDirectory() as directory:  # ssl loads from files only
            chain, key = Path(directory, "chain.pem"), Path(directory, "key.pem")
            chain.write_text(self._chain)
            key.write_text(self._key)
            context.load_cert_chain(chain, key)
        return context


def _issue(
    name: str, issuer: _Issuer | None, days: tuple[int, int], *, ca: bool = False, hosts: tuple[str, ...] = ()
) -> _Issuer:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    signing_key = issuer.key if issuer else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key()), critical=False)
        .add_extension(_usage(ca), critical=True)
    )
    if hosts:
        builder = builder.add_extension(x509.SubjectAlternativeName(map(_general_name, hosts)), critical=False)
    return _Issuer(builder.sign(signing_key, hashes.SHA256()), key)


def _usage(ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(certificates: list[x509.Certificate]) -> str:
    return "".join(certificate.public_bytes(serialization.Encoding.PEM).decode() for certificate in certificates)
