"""Where to dial (pure): the URL of the CSMS plus this station's identity, taken apart and put together.

Sources: OCPP-J 1.6 §3.1.1 and OCPP-J 2.0.1 §3.1.1 (the identity is appended to the path, percent-encoded as
necessary), RFC 3986, RFC 6455 §3.
"""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from agent.charging.value import Value

_LONGEST_LABEL = 63  # RFC 1035 §2.3.4
_PORTS = {"ws": 80, "wss": 443, "http": 80}

# What RFC 3986 §3.3 lets stand unencoded in a path segment, besides letters, digits and "-._~".
_SEGMENT_SAFE = "!$&'()*+,;=:@"


class Endpoint(Value):
    """A host to connect to and the resource to ask it for."""

    secure: bool
    host: str
    """Name (ASCII, IDNA-encoded) or IP address; IPv6 without brackets."""
    port: int
    resource: str
    """Path and query as they stand in the request line."""
    shown: str
    """The whole URL for people and logs: the values in its query, which may be tokens, are hidden."""
    userinfo: str = ""
    """"user:password" of a proxy's URL. A CSMS URL has none."""

    @property
    def authority(self) -> str:
        """Host and port as the Host header wants them: the port only when it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"

    @property
    def host_port(self) -> str:
        """Host and port, both always present."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def __repr__(self) -> str:
        return f"Endpoint({self.shown!r})"


def csms_endpoint(url: str, identity: str) -> Endpoint:
    """The station's own connection URL, from the CSMS's `url` (ws or wss, with or without a path) and `identity`.

    Raises:
        ValueError: it cannot be a CSMS URL; the text says why, and repeats no part that may be a credential.
    """
    endpoint, path, query = _parse(url, ("ws", "wss"))
    if endpoint.userinfo:
        raise ValueError("it contains a user name or password; set the identity and basic_auth_password instead")
    if not identity:
        raise ValueError("the station has no identity to append to it")
    resource = f"{path.rstrip('/')}/{quote(identity, safe=_SEGMENT_SAFE)}"
    scheme = "wss" if endpoint.secure else "ws"
    shown = f"{scheme}://{endpoint.authority}{resource}{_hidden(query)}"
    return endpoint._replace(resource=f"{resource}?{query}" if query else resource, shown=shown)


def proxy_endpoint(url: str) -> Endpoint:
    """The HTTP proxy at `url` (http://host:port).

    Raises:
        ValueError: it cannot be a proxy's URL; the text says why.
    """
    endpoint, _, _ = _parse(url, ("http",))
    return endpoint


def shown_url(url: str) -> str:
    """`url` without its user information and with the values in its query hidden, whatever its syntax."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = "", url
    authority, slash, path = rest.partition("/")
    authority = authority.rpartition("@")[2]
    path, _, query = path.partition("#")[0].partition("?")
    return f"{scheme}{separator}{authority}{slash}{path}{_hidden(query)}"


def _hidden(query: str) -> str:
    if not query:
        return ""
    return "?" + "&".join(f"{name}=***" for name in (part.partition("=")[0] for part in query.split("&")))


def _parse(url: str, schemes: tuple[str, ...]) -> tuple[Endpoint, str, str]:
    if not url:
        raise ValueError("it is empty")
    if any(ord(character) <= 0x20 or ord(character) == 0x7F for character in url):
        raise ValueError("it contains a space or a control character")
    parts = urlsplit(url)
    if parts.scheme not in schemes:
        raise ValueError(f"it does not start with {' or '.join(f'{scheme}://' for scheme in schemes)}")
    if parts.fragment:
        raise ValueError("it contains a '#'")
    if not parts.hostname:
        raise ValueError("it has no host name")
    try:
        port = _PORTS[parts.scheme] if parts.port is None else parts.port
    except ValueError:
        raise ValueError("its port is not a number from 1 to 65535") from None
    if port == 0:
        raise ValueError("its port is not a number from 1 to 65535")
    host = parts.hostname
    if not host.isascii():
        try:
            host = host.encode("idna").decode("ascii")
        except UnicodeError:
            raise ValueError("its host name cannot be written in the DNS") from None
    labels = host.removesuffix(".").split(".")
    if ":" not in host and not all(0 < len(label) <= _LONGEST_LABEL for label in labels):
        raise ValueError(f"its host name has a part that is empty or longer than {_LONGEST_LABEL} characters")
    if not (parts.path + parts.query).isascii():
        raise ValueError("its path has characters that a URL cannot have; percent-encode them")
    userinfo = parts.netloc.rpartition("@")[0]
    secure = parts.scheme == "wss"
    return Endpoint(secure, host, port, "", shown_url(url), userinfo), parts.path, parts.query
