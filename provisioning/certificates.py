"""Certificates and keys that a technician brings, checked before they can lock a station out.

`cryptography` is imported on use: it costs 14 ms and 8 MB, and only the tool and a rare request need it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_PEM_BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----")


class Findings(NamedTuple):
    """`wrong`: mistakes as (what is wrong, what would be right). `notes`: what may be meant, but should be known."""

    wrong: list[tuple[str, str]]
    notes: list[str]


def check_roots(pem: str, utc_ms: int) -> Findings:
    """Judges the text of one or several root CA certificates. `utc_ms` is the device's clock."""
    findings = Findings([], [])
    if "PRIVATE KEY-----" in pem:
        findings.wrong.append(("holds a private key", "give the CA's certificate alone, and keep that key safe"))
        return findings
    for certificate in _certificates(pem, findings):
        name = _name(certificate)
        if not _is_ca(certificate):
            findings.wrong.append(
                (
                    f"{name} is not a CA certificate but a server's or a client's own",
                    "give the root certificate that signed it",
                )
            )
            continue
        if certificate.issuer != certificate.subject:
            findings.notes.append(f"{name} is an intermediate CA: add the root that signed it")
        _note_validity(certificate, utc_ms, findings)
    return findings


def check_client_pair(certificate_pem: str, key_pem: str, utc_ms: int) -> Findings:
    """Judges the station's own certificate (its chain may follow it) and the private key that belongs to it."""
    findings = Findings([], [])
    certificates = _certificates(certificate_pem, findings)
    key = _public_part(key_pem, findings)
    if not certificates:
        return findings
    leaf = certificates[0]
    if key is not None and key != _public_bytes(leaf):
        findings.wrong.append(
            (f"the key does not belong to {_name(leaf)}", "give the key with which this certificate was requested")
        )
    if _is_ca(leaf):
        findings.notes.append(f"{_name(leaf)} is a CA certificate: the station's own must come first")
    _note_validity(leaf, utc_ms, findings)
    return findings


def merged(installed: str | None, added: str) -> str:
    """The certificates of both PEM texts, each once, in order."""
    blocks = _PEM_BLOCK.findall(f"{installed or ''}\n{added}".replace("\r\n", "\n"))
    return "".join(f"{block}\n" for block in dict.fromkeys(blocks))


def described(pem: str) -> str:
    """The certificates of a PEM text: subject, expiry and SHA-256 fingerprint of each, as `openssl x509` shows it."""
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415 - on use, see above

    findings = Findings([], [])
    texts = []
    for certificate in _certificates(pem, findings):
        fingerprint = certificate.fingerprint(SHA256()).hex(":").upper()
        expires = f"{certificate.not_valid_after_utc:%Y-%m-%d}"
        texts.append(f"{_name(certificate)}, expires {expires}, SHA-256 {fingerprint}")
    return "; ".join(texts + [wrong for wrong, _ in findings.wrong])


def _certificates(pem: str, findings: Findings) -> list[Certificate]:
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - on use, see above
    from cryptography.x509 import DuplicateExtension, load_pem_x509_certificate  # noqa: PLC0415 - on use, see above

    found: list[Certificate] = []
    blocks = _PEM_BLOCK.findall(pem)
    if len(blocks) < pem.count("-----BEGIN CERTIFICATE-----") or not blocks:
        wrong = (
            "holds a certificate that is cut off" if "-----BEGIN CERTIFICATE-----" in pem else "holds no certificate"
        )
        findings.wrong.append((wrong, "give PEM text: -----BEGIN CERTIFICATE----- ... -----END CERTIFICATE-----"))
    for number, block in enumerate(blocks, 1):
        try:
            certificate = load_pem_x509_certificate(block.encode())
            _is_ca(certificate)  # parts are parsed when they are first looked at
            _public_bytes(certificate)
            found.append(certificate)
        except (ValueError, UnsupportedAlgorithm, DuplicateExtension):
            findings.wrong.append((f"its certificate no. {number} cannot be read", "copy the certificate again"))
    return found


def _public_part(key_pem: str, findings: Findings) -> bytes | None:
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - on use, see above
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - on use, see above
        Encoding,
        PublicFormat,
        load_pem_private_key,
    )

    try:
        public = load_pem_private_key(key_pem.encode(), password=None).public_key()
    except TypeError:  # says cryptography of a key that has a passphrase
        findings.wrong.append(("the key is encrypted", "give it without a passphrase: the station starts unattended"))
        return None
    except (ValueError, UnsupportedAlgorithm):
        findings.wrong.append(("the key cannot be read", "give PEM text: -----BEGIN PRIVATE KEY----- ..."))
        return None
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _public_bytes(certificate: Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415 - on use, see above

    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _is_ca(certificate: Certificate) -> bool:
    from cryptography.x509 import BasicConstraints, ExtensionNotFound, Version  # noqa: PLC0415 - on use, see above

    try:
        return certificate.extensions.get_extension_for_class(BasicConstraints).value.ca
    except ExtensionNotFound:
        # X.509 version 1 had no extensions; some old private roots are of that kind
        return certificate.version is Version.v1 and certificate.issuer == certificate.subject


def _note_validity(certificate: Certificate, utc_ms: int, findings: Findings) -> None:
    now = datetime.fromtimestamp(utc_ms / 1000, UTC)
    clock = f"this device's clock says {now:%Y-%m-%d %H:%M} UTC"
    if now > certificate.not_valid_after_utc:
        findings.notes.append(f"{_name(certificate)} expired on {certificate.not_valid_after_utc:%Y-%m-%d}; {clock}")
    elif now < certificate.not_valid_before_utc:
        since = f"{certificate.not_valid_before_utc:%Y-%m-%d}"
        findings.notes.append(f"{_name(certificate)} is not valid before {since}; {clock}, which may be wrong")


def _name(certificate: Certificate) -> str:
    return f'"{certificate.subject.rfc4514_string() or "a certificate without a name"}"'
