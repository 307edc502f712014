"""TLS towards the CSMS: which peers and algorithms are good enough, and what a refusal means.

Sources: OCPP security whitepaper (1.6) A00.FR.307..322 and A00.FR.411..424, OCPP 2.0.1 part 2 A00.FR.307..323.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from agent.charging.value import Value
from agent.csms.diagnosis import DiagnosisCode, LinkError

# Forward secrecy first. The last two are A00.FR.317's suites for CSMSs with an RSA certificate that offer nothing
# else; TLS 1.3 brings its own suites.
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:AES128-GCM-SHA256:AES256-GCM-SHA384"

# OpenSSL's X509_V_ERR_* numbers (x509_vfy.h), as they come in SSLCertVerificationError.verify_code.
_VERIFY_CODES = {
    2: DiagnosisCode.TLS_UNKNOWN_ROOT,  # UNABLE_TO_GET_ISSUER_CERT
    7: DiagnosisCode.TLS_UNKNOWN_ROOT,  # CERT_SIGNATURE_FAILURE: the issuer's name is known, its key is another
    9: DiagnosisCode.TLS_NOT_YET_VALID,
    10: DiagnosisCode.TLS_EXPIRED,
    18: DiagnosisCode.TLS_SELF_SIGNED,  # DEPTH_ZERO_SELF_SIGNED_CERT
    19: DiagnosisCode.TLS_UNKNOWN_ROOT,  # SELF_SIGNED_CERT_IN_CHAIN
    20: DiagnosisCode.TLS_UNKNOWN_ROOT,  # UNABLE_TO_GET_ISSUER_CERT_LOCALLY
    21: DiagnosisCode.TLS_UNKNOWN_ROOT,  # UNABLE_TO_VERIFY_LEAF_SIGNATURE
    62: DiagnosisCode.TLS_WRONG_HOST,
    64: DiagnosisCode.TLS_WRONG_HOST,  # IP_ADDRESS_MISMATCH
}

_NOT_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG")
_CLIENT_CERTIFICATE_ALERTS = ("CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED")


class TlsSettingsError(LinkError):
    """An installed certificate or key cannot be used; `code` says which."""

    def __init__(self, code: DiagnosisCode, why: str) -> None:
        self.code = code
        super().__init__(why)


class TlsFacts(Value):
    """What an established TLS connection uses."""

    version: str
    cipher: str
    server_name: str
    """Common name of the server's certificate, empty if it has none."""
    chain_expires_utc_ms: int | None
    """When the first certificate of the verified chain, root included, runs out."""


def client_context(
    root_ca_pem: str | None, client_certificate_pem: str | None, client_key_pem: str | None
) -> ssl.SSLContext:
    """The context that dials a CSMS: TLS 1.2 or later, peer and host name verified, no compression.

    The host name is matched against the subject's common name where the certificate has no alternative names, as
    A00.FR.510 asks certificates to be.

    Args:
        root_ca_pem: one or more trusted certificates, each a trust anchor of its own, all active at once; only
            these are trusted. None: the operating system's store.
        client_certificate_pem: the station's certificate, leaf first, None without one.
        client_key_pem: its private key, unencrypted.

    Raises:
        TlsSettingsError: a PEM text is unusable.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    if root_ca_pem is None:
        context.load_default_certs()
    else:
        # An issuing CA may be all that an operator hands out, so an installed certificate need not be a root.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        try:
            # Comments between the certificates may be in any language; the certificates are ASCII.
            context.load_verify_locations(cadata=root_ca_pem.encode("ascii", "ignore").decode("ascii"))
        except (ssl.SSLError, ValueError) as error:
            raise TlsSettingsError(
                DiagnosisCode.ROOT_CA_INVALID, f"the installed root certificate cannot be read ({reason_words(error)})"
            ) from error
    if client_certificate_pem is not None or client_key_pem is not None:
        if client_certificate_pem is None or client_key_pem is None:
            raise TlsSettingsError(
                DiagnosisCode.CLIENT_CERTIFICATE_INVALID,
                "the client certificate and its private key are not both installed",
            )
        try:
            with _memory_file(client_certificate_pem) as certificate, _memory_file(client_key_pem) as key:
                # Without a password here, OpenSSL would ask for one on the terminal.
                context.load_cert_chain(certificate, key, password="")
        except (ssl.SSLError, ValueError) as error:
            raise TlsSettingsError(
                DiagnosisCode.CLIENT_CERTIFICATE_INVALID,
                f"the client certificate or its key cannot be used ({reason_words(error)})",
            ) from error
    return context


def inspection_context() -> ssl.SSLContext:
    """A context that accepts every server, to look at what it presents. Nothing may be sent over it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def verification_code(error: ssl.SSLCertVerificationError) -> DiagnosisCode:
    """What a failed verification means, as far as OpenSSL's code alone tells."""
    return _VERIFY_CODES.get(error.verify_code, DiagnosisCode.TLS_CERTIFICATE_INVALID)


def handshake_code(error: OSError) -> DiagnosisCode:
    """What a TLS failure other than a failed verification means."""
    if not isinstance(error, ssl.SSLError) or isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return DiagnosisCode.CONNECTION_RESET
    reason = error.reason or ""
    if any(name in reason for name in _NOT_TLS):
        return DiagnosisCode.TLS_PLAIN_HTTP
    if "ALERT" in reason and any(name in reason for name in _CLIENT_CERTIFICATE_ALERTS):
        return DiagnosisCode.TLS_CLIENT_CERTIFICATE_REJECTED
    return DiagnosisCode.TLS_PROTOCOL


def is_acceptable(version: str, cipher: str) -> bool:
    """Whether `client_context` would take what a server offers to a client that takes everything."""
    return version in {"TLSv1.2", "TLSv1.3"} and cipher in {
        known["name"] for known in client_context(None, None, None).get_ciphers()
    }


def is_handshake_failure_alert(error: OSError) -> bool:
    """Whether the server sent the alert handshake_failure: no common cipher or, in TLS 1.2, no client certificate."""
    return isinstance(error, ssl.SSLError) and (error.reason or "").endswith("ALERT_HANDSHAKE_FAILURE")


def tls_facts(ssl_object: ssl.SSLObject) -> TlsFacts:
    """What the established connection behind `ssl_object` uses."""
    leaf = ssl_object.getpeercert() or {}
    cipher = ssl_object.cipher()
    # Only an anchor's and an intermediate's dates can be read this way; the leaf's are in getpeercert().
    authorities = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for der in _chain_der(ssl_object, "get_verified_chain"):
        authorities.load_verify_locations(cadata=der)
    dates = [certificate.get("notAfter") for certificate in (leaf, *authorities.get_ca_certs())]
    expiries = [ssl.cert_time_to_seconds(date) * 1000 for date in dates if isinstance(date, str)]
    return TlsFacts(
        ssl_object.version() or "",
        cipher[0] if cipher else "",
        _common_name(leaf),
        min(expiries, default=None),
    )


def presented_chain_der(ssl_object: ssl.SSLObject) -> tuple[bytes, ...]:
    """The certificates as the server sent them, its own first, unverified."""
    return _chain_der(ssl_object, "get_unverified_chain")


def _chain_der(ssl_object: ssl.SSLObject, getter: str) -> tuple[bytes, ...]:
    public = getattr(ssl_object, getter, None)
    if public is not None:
        return tuple(public())
    # Before Python 3.13 the chain is reachable only through the object behind the public one.
    import _ssl  # noqa: PLC0415 - not needed from 3.13

    chain = getattr(ssl_object._sslobj, getter)()  # type: ignore[attr-defined]  # typeshed has no such attribute
    return tuple(certificate.public_bytes(_ssl.ENCODING_DER) for certificate in chain or ())


def _common_name(certificate: dict[str, Any]) -> str:
    for relative_name in certificate.get("subject", ()):
        for name, value in relative_name:
            if name == "commonName":
                return str(value)
    return ""


@contextmanager
def _memory_file(text: str) -> Iterator[str]:
    """A path to `text` for OpenSSL, which reads certificates and keys from files only: memory, never flash."""
    descriptor = os.memfd_create("pem", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def reason_words(error: Exception) -> str:
    """OpenSSL's reason for `error` in lower case words."""
    reason = error.reason if isinstance(error, ssl.SSLError) else str(error)
    return (reason or "no reason given").lower().replace("_", " ")
