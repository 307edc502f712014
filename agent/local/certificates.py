"""When the station's own certificates expire. Read by the command, so that the daemon need not load `cryptography`."""

from __future__ import annotations

from pathlib import Path

from provisioning.settings import Settings


def installed(state_dir: Path) -> list[dict[str, str]]:
    """Every provisioned certificate: use, subject, expires (UTC). Raises SettingsError."""
    content = Settings.load(state_dir, read_only=True).content
    texts = {
        "CSMS root": content.csms.root_ca,
        "client": content.csms.client_certificate,
        "firmware root": content.firmware.root_ca,
    }
    if not any(texts.values()):
        return []
    from cryptography import x509  # noqa: PLC0415 - 14 ms, only where there is something to read

    found = []
    for use, pem in texts.items():
        for certificate in x509.load_pem_x509_certificates(pem.encode()) if pem else ():
            expires = f"{certificate.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}"
            found.append({"use": use, "subject": certificate.subject.rfc4514_string(), "expires": expires})
    return found
