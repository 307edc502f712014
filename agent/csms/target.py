"""Whom to dial, and with which credentials."""

from __future__ import annotations

from agent.charging.value import Value
from agent.csms.endpoint import shown_url
from agent.csms.upgrade import basic_authorization


class Target(Value):
    """Everything that decides how to reach and convince a CSMS."""

    url: str
    """ws:// or wss://, without the identity."""
    identity: str
    subprotocols: tuple[str, ...]
    """Preferred first: ("ocpp1.6",)."""
    security_profile: int
    """0 none, 1 basic authentication, 2 TLS and basic authentication, 3 TLS with a client certificate."""
    password: bytes | None = None
    """The password's bytes, a hexadecimal 1.6 AuthorizationKey already decoded. Sent in profiles 1 and 2."""
    root_ca_pem: str | None = None
    """Trusted root certificates; None: the operating system's."""
    client_certificate_pem: str | None = None
    client_key_pem: str | None = None
    proxy: str | None = None
    """http://host:port of a proxy that is asked to CONNECT."""

    @property
    def uses_password(self) -> bool:
        """Whether the security profile asks for basic authentication."""
        return self.security_profile in {1, 2}

    @property
    def authorization(self) -> str | None:
        """The Authorization header's value, None when there is none to send."""
        if self.password is None or not self.uses_password:
            return None
        return basic_authorization(self.identity, self.password)

    def without_secrets(self, text: str) -> str:
        """`text` from the network with this target's credentials blotted out, should it echo them."""
        if self.password:
            text = text.replace(self.password.decode("iso-8859-1"), "***")
        if self.authorization is not None:
            text = text.replace(self.authorization.removeprefix("Basic "), "***")
        return text

    def __repr__(self) -> str:
        return f"Target({shown_url(self.url)!r}, {self.identity!r}, security_profile={self.security_profile})"
