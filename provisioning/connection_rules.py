"""What URL, identity, password and security profile must be, and must be to each other. Pure: text in, problems out.

Sources: OCPP-J 1.6 §3.1.1 (connection URL), security whitepaper ed. 3 A00 (profiles, password), OCPP 2.0.1 part 2
§2.1.4 (identifierString) and A00.FR.205 (password), and what operators report: identities with a space at the end,
passwords that a proxy or a shell changed on the way.
"""

from __future__ import annotations

import re
from urllib.parse import SplitResult, quote, urlsplit

from provisioning.connection import in_force, uses_tls
from provisioning.errors import Problem
from provisioning.settings import Csms

KNOWN_VERSIONS = ("1.6", "2.0.1", "2.1")

_IDENTITY = re.compile(r"[A-Za-z0-9*\-_=:+|@.]+")
_LARGEST_IDENTITY = 48
_HEX = re.compile(r"[0-9A-Fa-f]+")
# percent-encoded in a URL, or its syntax: different tools pass them on differently
_BREAKS_IN_URLS = frozenset('"#%&/<>?[\\]^`{}')
# allowed by OCPP, yet + may arrive as a space, : and @ cut a URL's user part, the others mean something to a shell
_RISKY = frozenset("+:@=|$!'();,*~")
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+(?:%[A-Za-z0-9._-]+)?")
_LARGEST_URL = 2048
_LONGEST_HOST = 253

_WRONG_SCHEMES = {"http": "ws", "https": "wss", "ocpp": "ws", "ocpps": "wss"}


def connection_url(url: str, identity: str) -> str:
    """The address that the station dials: the URL with the percent-encoded identity as its last path segment."""
    parts = urlsplit(url)
    return parts._replace(path=f"{parts.path.rstrip('/')}/{quote(identity, safe='')}").geturl()


def check_url(url: str, identity: str | None, key: str = "csms.url") -> list[Problem]:
    """The mistakes in a CSMS URL, to which the station will append the identity."""
    if any(character.isspace() or not character.isprintable() for character in url):
        return [Problem(key, f"{_shown(url)} holds spaces or control characters", "write the URL without them")]
    if len(url) > _LARGEST_URL:
        return [Problem(key, f"has {len(url)} characters", f"write at most {_LARGEST_URL}")]
    try:
        parts = urlsplit(url)
    except ValueError as error:
        return [Problem(key, f"is not a URL ({error})", "write e.g. wss://csms.example.com/ocpp")]
    problems = _check_scheme(url, parts, key)
    if problems:
        return problems
    problems = _check_authority(parts, key)
    if parts.fragment or url.endswith("#"):
        problems.append(Problem(key, "has a fragment (#...)", "leave it off"))
    last_segment = parts.path.rstrip("/").rpartition("/")[2]
    if identity and last_segment.casefold() in (identity.casefold(), quote(identity, safe="").casefold()):
        wrong = f"ends with the identity, which is appended: the station would dial {connection_url(url, identity)}"
        problems.append(Problem(key, wrong, f"leave off /{last_segment}"))
    return problems


def _check_scheme(url: str, parts: SplitResult, key: str) -> list[Problem]:
    if parts.scheme in ("ws", "wss") and parts.netloc:
        return []
    scheme, separator, rest = url.partition("://")
    if not separator:
        guess = url.lstrip("/").removeprefix("wss:").removeprefix("ws:").lstrip("/")
        return [Problem(key, f"{_shown(url)} has no scheme", f"write wss://{guess} (or ws:// without TLS)")]
    if scheme.lower() in _WRONG_SCHEMES:
        right = f"write {_WRONG_SCHEMES[scheme.lower()]}://{_without_password(rest)}"
        return [Problem(key, f"has the scheme {scheme}://; OCPP runs over WebSocket", right)]
    if parts.scheme in ("ws", "wss"):
        return [Problem(key, "has no host name", "write e.g. wss://csms.example.com/ocpp")]
    return [Problem(key, f"has the scheme {_shown(scheme)}", "write ws:// or wss://")]


def _check_authority(parts: SplitResult, key: str) -> list[Problem]:
    problems = []
    if "@" in parts.netloc:
        right = "leave it off; the password belongs into csms.basic_auth_password, the user name is the identity"
        problems.append(Problem(key, "has a user name or a password before the host", right))
    if not parts.hostname:
        problems.append(Problem(key, "has no host name", "write e.g. wss://csms.example.com/ocpp"))
    else:
        problems += check_host(parts.hostname, key)
    try:
        port_is_right = parts.port != 0 and not parts.netloc.endswith(":")
    except ValueError:
        port_is_right = False
    if not port_is_right:
        problems.append(Problem(key, "has a port that is not one", "write a number from 1 to 65535, or none"))
    return problems


def check_identity(identity: str, security_profile: int | None, key: str = "csms.identity") -> list[Problem]:
    """The mistakes in a station's identity; `security_profile` is the one that will count."""
    problems = []
    stripped = identity.strip()
    if not stripped:
        return [Problem(key, "is empty", "write the identity under which the CSMS knows this station")]
    if identity != stripped:
        ends = [
            where
            for where, differs in (
                ("beginning", identity != identity.lstrip()),
                ("end", identity != identity.rstrip()),
            )
            if differs
        ]
        wrong = f"{_shown(identity)} has a space at its {' and its '.join(ends)}"
        problems.append(Problem(key, wrong, f"write {_shown(stripped)}"))
    if len(stripped) > _LARGEST_IDENTITY:
        problems.append(Problem(key, f"has {len(stripped)} characters", f"write at most {_LARGEST_IDENTITY}"))
    if not _IDENTITY.fullmatch(stripped):
        strange = " ".join(_shown(character) for character in dict.fromkeys(stripped) if not _IDENTITY.match(character))
        right = "use A-Z a-z 0-9 * - _ = : + | @ . only (OCPP's identifierString)"
        problems.append(Problem(key, f"{_shown(stripped)} holds {strange}", right))
    if ":" in stripped and security_profile in (1, 2):
        right = "take another identity, or security profile 3: basic auth ends the user name at the first colon"
        problems.append(Problem(key, f"{_shown(stripped)} holds a colon", right))
    return problems


def note_similar_identity(before: Csms, after: Csms) -> str | None:
    """A hint where the new identity differs from the old one only as a typing mistake would make it."""

    def folded(text: str) -> str:
        return re.sub(r"[-_.]", "", text).casefold()

    old, new = before.identity, after.identity
    if old is None or new is None or new == old or folded(new) != folded(old):
        return None
    return f"csms.identity: {new} differs from {old} only in case or separators; the CSMS tells them apart"


def note_profile(before: Csms, change: Csms) -> str | None:
    """A hint, in words, where the station will be less protected than it was, or otherwise than anybody has set.

    before: what was set; change: what is set now.
    """
    old, new = in_force(before).security_profile or 0, in_force(before, change).security_profile or 0
    # what nobody had set, neither a profile nor TLS, is no loss
    if new < old and (before.security_profile is not None or uses_tls(before.url)):
        loss = {
            0: "neither password nor encryption protect the station any more",
            1: "the password and all messages cross the network unencrypted",
            2: "a password replaces the client certificate",
        }[new]
        return f"csms.security_profile: is lowered from {old} to {new}: {loss}"
    if new != old and change.security_profile is None:
        return f"csms.security_profile: is not set and follows csms.url: it is {new} now"
    return None


def decode_password(
    text: str, versions: tuple[str, ...], identity: str | None, key: str = "csms.basic_auth_password"
) -> tuple[bytes | None, list[Problem], str | None]:
    """The bytes to send for a password as a person writes it, its mistakes, and a note on characters that are risky.

    With 1.6 among the versions, 32 to 40 hex digits stand for 16 to 20 bytes; else the text itself counts. It has 16
    to 40 characters, or from 8 where 1.6 is the only version. No message repeats the password.
    """
    if text != text.strip():
        return None, [Problem(key, "has a space at its beginning or end", "write it without")], None
    only_2x = bool(versions) and "1.6" not in versions
    if not only_2x and _HEX.fullmatch(text) and 32 <= len(text) <= 40:
        if len(text) % 2 == 0:
            return bytes.fromhex(text), [], None
        right = "write 32 to 40 hex digits, two for each byte; one may be missing"
        return None, [Problem(key, f"has {len(text)} hex digits", right)], None
    problems = []
    shortest = 8 if not versions or versions == ("1.6",) else 16
    if not shortest <= len(text.encode(errors="replace")) <= 40:
        by_hex = "" if only_2x else ", or 32 to 40 hex digits for 16 to 20 bytes"
        problems.append(Problem(key, f"has {len(text)} characters", f"write {shortest} to 40{by_hex}"))
    if any(character.isspace() or not character.isprintable() for character in text):
        problems.append(Problem(key, "holds spaces or control characters", "write it without"))
    if not text.isascii():
        problems.append(Problem(key, "holds characters outside ASCII", "use letters, digits and - _ . only"))
    if breaking := _BREAKS_IN_URLS.intersection(text):
        wrong = f"holds {' '.join(sorted(breaking))}, which break in URLs"
        problems.append(Problem(key, wrong, "use letters, digits and - _ . only, here and in the CSMS"))
    if identity is not None and text == identity:
        problems.append(Problem(key, "equals the identity", "take a random one"))
    note = None
    if risky := _RISKY.intersection(text):
        note = f"{key}: {' '.join(sorted(risky))} may be changed by shells and URL parsers on the CSMS's side"
    return (None if problems else text.encode()), problems, note


def check_versions(versions: tuple[str, ...], spoken: tuple[str, ...], key: str = "csms.versions") -> list[Problem]:
    """The mistakes in a list of OCPP versions to offer; `spoken` are those that the agent can speak."""
    right = f'write a list of {", ".join(KNOWN_VERSIONS)}, preferred first, e.g. ["1.6"]'
    if not versions:
        return [Problem(key, "is empty", right)]
    unknown = [version for version in versions if version not in KNOWN_VERSIONS]
    if unknown:
        return [Problem(key, f"holds {', '.join(map(_shown, unknown))}", right)]
    if len(set(versions)) < len(versions):
        return [Problem(key, "names a version twice", right)]
    if not set(versions) & set(spoken):
        return [Problem(key, f"names nothing that this agent speaks ({', '.join(versions)})", f"add {spoken[0]}")]
    return []


def check_proxy(url: str, key: str = "network.proxy") -> list[Problem]:
    """The mistakes in an HTTP proxy's URL."""
    try:
        parts = urlsplit(url)
        right_shape = parts.scheme == "http" and bool(parts.port) and not parts.query and not parts.fragment
    except ValueError:
        right_shape = False
    if not right_shape or parts.path not in ("", "/") or "@" in parts.netloc or not url.isprintable():
        return [Problem(key, "is not the URL of an HTTP proxy", 'write http://host:port, or "" for none')]
    return check_host(parts.hostname or "", key)


def check_host(name: str, key: str) -> list[Problem]:
    """The mistakes in a host name or IP address."""
    if _HOST.fullmatch(name) and len(name) <= _LONGEST_HOST:
        return []
    return [Problem(key, f"{_shown(name)} is not a host name", "write e.g. host.example.org, or an IP address")]


def check_together(csms: Csms, touched: frozenset[str]) -> tuple[list[Problem], list[str]]:
    """What does not fit together in the connection as it will be: mistakes, and notes on what is still missing.

    `touched` are the keys that the site profile sets: what it does not touch is noted, not held against it.
    """
    problems: list[Problem] = []
    notes: list[str] = []
    profile = csms.security_profile
    if profile == 0:
        notes.append("csms.security_profile: 0 has neither a password nor encryption: for a bench only")
    mismatch = _scheme_mismatch(csms)
    if mismatch is not None:
        (problems.append(mismatch) if touched & {"url", "security_profile"} else notes.append(str(mismatch)))
    if profile in (1, 2) and csms.basic_auth_password is None:
        notes.append(f"csms.basic_auth_password: security profile {profile} needs one, and none is set")
    missing = [name for name in ("client_certificate", "client_key") if getattr(csms, name) is None]
    if profile == 3 and missing:
        problem = Problem(
            "csms.security_profile",
            f"3 needs a client certificate with its key; {' and '.join(missing)} missing",
            "set csms.client_certificate and csms.client_key",
        )
        (problems.append(problem) if "security_profile" in touched else notes.append(str(problem)))
    if profile in (2, 3) and not csms.root_ca and "security_profile" in touched:
        notes.append("csms.root_ca: none is set, so the CSMS's certificate must come from a public authority")
    return problems, notes


def _scheme_mismatch(csms: Csms) -> Problem | None:
    profile = csms.security_profile
    if profile is None:
        return None
    key = "csms.security_profile"
    if csms.url is None:
        if profile in (2, 3):
            return Problem(key, f"{profile} needs a wss:// URL, and no URL is set", "set csms.url to a wss:// address")
        return None
    scheme = csms.url.partition(":")[0].lower()
    if profile in (2, 3) and scheme == "ws":
        right = "give csms.url as a wss:// address in the same site profile, or take security profile 1"
        return Problem(key, f"{profile} needs a wss:// URL, but csms.url is {csms.url}", right)
    if profile in (0, 1) and scheme == "wss":
        right = (
            "give csms.security_profile as 2 (3 with a client certificate) in the same site profile, "
            "or take a ws:// address"
        )
        return Problem(key, f"{profile} goes without TLS, but csms.url is {csms.url}", right)
    return None


def _without_password(rest: str) -> str:
    authority, slash, path = rest.partition("/")
    return authority.rpartition("@")[2] + slash + path


def _shown(text: str) -> str:
    return repr(text[:80])
