"""What the server's certificates say, read only after their verification failed, to tell a person why."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from agent.charging.value import Value
from agent.csms.diagnosis import DiagnosisCode, printable

if TYPE_CHECKING:
    from cryptography import x509

_OLDEST_PLAUSIBLE_YEAR = 2025
"""Before the first release: a clock that shows less has not been set."""

_INTERMEDIATE_WORDS = ("intermediate", "issuing", "sub ca", "subca", "sub-ca")


class CertificateFacts(Value):
    """The readable part of a certificate. Names are cleaned for display."""

    subject: str
    issuer: str
    subject_der: bytes
    issuer_der: bytes
    subject_organisation: str
    issuer_organisation: str
    not_before_utc_ms: int
    not_after_utc_ms: int
    names: tuple[str, ...]
    """Host names and addresses it is for; the common name where it lists none."""

    def __str__(self) -> str:
        return (
            f"'{self.subject}' issued by '{self.issuer}', valid {shown_date(self.not_before_utc_ms)}"
            f" to {shown_date(self.not_after_utc_ms)}"
        )


class Finding(Value):
    """What looking at the certificates adds to OpenSSL's verdict."""

    code: DiagnosisCode
    seen: str
    causes: tuple[str, ...] = ()


def read_der(certificates: Iterable[bytes]) -> tuple[CertificateFacts, ...]:
    """The facts of DER certificates; those that cannot be parsed are left out."""
    from cryptography import x509  # noqa: PLC0415 - 14 ms and 8 MB, for failures only

    found: list[CertificateFacts] = []
    for der in certificates:
        try:
            found.append(_facts(x509.load_der_x509_certificate(der)))
        except ValueError:
            continue
    return tuple(found)


def read_pem(pem: str) -> tuple[CertificateFacts, ...]:
    """The facts of the certificates in `pem`; none if it cannot be parsed."""
    from cryptography import x509  # noqa: PLC0415 - 14 ms and 8 MB, for failures only

    try:
        return tuple(_facts(certificate) for certificate in x509.load_pem_x509_certificates(pem.encode()))
    except ValueError:
        return ()


def explain(
    code: DiagnosisCode,
    chain: tuple[CertificateFacts, ...],
    root_ca_pem: str | None,
    host: str,
) -> Finding:
    """Why a verification failed with `code`, given the chain that the server presents (empty if unknown).

    Args:
        root_ca_pem: the installed roots, None where the operating system's store is used.
        host: the name that was dialled.
    """
    # The system's own clock and no corrected one: it is what OpenSSL compared with.
    now_utc_ms = time.time_ns() // 1_000_000
    trusted = "the operating system's certificate store" if root_ca_pem is None else "the installed root certificates"
    clock = f"this device's clock says {shown_time(now_utc_ms)}"
    if not chain:
        return Finding(code, clock, _clock_causes(now_utc_ms))
    leaf, top = chain[0], chain[-1]
    presented = f"the server presents {'; '.join(map(str, chain[:4]))}"
    if code is DiagnosisCode.TLS_EXPIRED:
        bad = [str(one) for one in chain if one.not_after_utc_ms < now_utc_ms]
        what = f"run out: {'; '.join(bad)}" if bad else f"run out: a root in {trusted}; {presented}"
        return Finding(code, f"{what}; {clock}", _clock_causes(now_utc_ms))
    if code is DiagnosisCode.TLS_NOT_YET_VALID:
        bad = [str(one) for one in chain if one.not_before_utc_ms > now_utc_ms]
        return Finding(code, f"not valid yet: {'; '.join(bad) or presented}; {clock}", _clock_causes(now_utc_ms))
    if code is DiagnosisCode.TLS_WRONG_HOST:
        names = ", ".join(leaf.names) or "no host at all"
        return Finding(code, f"dialled {host}; the certificate '{leaf.subject}' is for {names}")
    if code is DiagnosisCode.TLS_UNKNOWN_ROOT:
        roots = () if root_ca_pem is None else read_pem(root_ca_pem)
        return _unknown_issuer(chain, top, roots, f"{presented}; checked against {trusted}{_listed(roots)}")
    return Finding(code, f"{presented}; checked against {trusted}")


def shown_time(utc_ms: int) -> str:
    """`utc_ms` for people, to the second, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(utc_ms // 1000))


def shown_date(utc_ms: int) -> str:
    """The day of `utc_ms`, in UTC."""
    return time.strftime("%Y-%m-%d", time.gmtime(utc_ms // 1000))


def _unknown_issuer(
    chain: tuple[CertificateFacts, ...],
    top: CertificateFacts,
    roots: tuple[CertificateFacts, ...],
    seen: str,
) -> Finding:
    """Tells an unknown authority from a chain with a gap: both look alike to OpenSSL."""
    if any(root.subject_der == top.issuer_der for root in roots):
        cause = f"The root '{top.issuer}' is installed with another key: it was renewed, or this is an impostor."
        return Finding(DiagnosisCode.TLS_UNKNOWN_ROOT, seen, (cause,))
    if len(chain) == 1 and _is_intermediate(top, roots):
        cause = f"The certificate of the authority '{top.issuer}' is missing from what the server sends."
        return Finding(DiagnosisCode.TLS_INCOMPLETE_CHAIN, seen, (cause,))
    return Finding(DiagnosisCode.TLS_UNKNOWN_ROOT, seen)


def _is_intermediate(leaf: CertificateFacts, roots: tuple[CertificateFacts, ...]) -> bool:
    """Whether the absent issuer of `leaf` is likely an intermediate authority and not a root. A guess: nothing in a
    certificate tells. Authorities mostly say it in their names; public ones never sign a server's certificate with
    their root; and a private intermediate belongs to the organisation whose root is installed.
    """
    name = leaf.issuer.lower()
    if "root" in name:
        return False
    if any(word in name for word in _INTERMEDIATE_WORDS) or not roots:
        return True
    return any(root.subject_organisation == leaf.issuer_organisation != "" for root in roots)


def _listed(certificates: tuple[CertificateFacts, ...]) -> str:
    return f" ({', '.join(one.subject for one in certificates[:8])})" if certificates else ""


def _clock_causes(now_utc_ms: int) -> tuple[str, ...]:
    year = time.gmtime(now_utc_ms // 1000).tm_year
    if year >= _OLDEST_PLAUSIBLE_YEAR:
        return ()
    return (f"This device's clock is wrong: it says the year {year}.",)


def _facts(certificate: x509.Certificate) -> CertificateFacts:
    subject = _shown_name(certificate.subject)
    return CertificateFacts(
        subject,
        _shown_name(certificate.issuer),
        certificate.subject.public_bytes(),
        certificate.issuer.public_bytes(),
        _attribute(certificate.subject, "organizationName"),
        _attribute(certificate.issuer, "organizationName"),
        int(certificate.not_valid_before_utc.timestamp() * 1000),
        int(certificate.not_valid_after_utc.timestamp() * 1000),
        _names(certificate) or (subject,),
    )


def _shown_name(name: x509.Name) -> str:
    return _attribute(name, "commonName") or _attribute(name, "organizationName") or printable(name.rfc4514_string())


def _attribute(name: x509.Name, wanted: str) -> str:
    # `_name` is how cryptography spells an object identifier in words; there is no public spelling.
    values = (str(attribute.value) for attribute in name if attribute.oid._name == wanted)
    return printable(next(values, ""), 80)


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    from cryptography import x509  # noqa: PLC0415 - 14 ms and 8 MB, for failures only

    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, ValueError):
        return ()
    hosts = extension.get_values_for_type(x509.DNSName)
    addresses = map(str, extension.get_values_for_type(x509.IPAddress))
    return tuple(printable(name, 80) for name in (*hosts, *addresses))[:10]
