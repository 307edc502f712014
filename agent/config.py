"""The configuration file: what the hardware is and how the factory set it up (TOML, read-only for the agent).

docs/configuration.md describes every key. All mistakes are reported at once.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from agent.charging.characteristics import VariableId, VariableSpec
from agent.charging.device_model import DeviceModel, Source
from agent.charging.types import ConnectorSpec, EvseSpec
from agent.charging.value import Value
from agent.charging.variables import IDENTITY, MEASURANDS, SECURITY_PROFILE, measurand_items, station_variables
from agent.config_table import ConfigTable
from agent.config_values import read_custom, read_factory_values
from agent.errors import ConfigError, ConfigProblem

OCPP_VERSIONS = ("1.6", "2.0.1", "2.1")
IMPLEMENTED_VERSIONS = ("1.6",)
PARTS = ("contactor", "pilot", "lock", "meter", "residual_current", "temperature", "indicator")
"""The roles of an EVSE that a driver of their own may serve, as tables below [[evse]]."""

CONNECTOR_TYPES = (
    *("cCCS1", "cCCS2", "cG105", "cTesla", "cType1", "cType2", "cGBT", "cChaoJi"),
    *("s309-1P-16A", "s309-1P-32A", "s309-3P-16A", "s309-3P-32A"),
    *("sBS1361", "sCEE-7-7", "sType2", "sType3", "wInductive", "wResonant"),
    *("Other1PhMax16A", "Other1PhOver16A", "Other3Ph", "Pan", "OppCharge", "Undetermined", "Unknown"),
)
"""ConnectorEnumType (OCPP 2.0.1 part 2 §3.22) and what the variable ConnectorType adds to it (§2.13.4)."""

IDENTIFIER_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789*-_=:+|@.")
"""OCPP's identifierString (2.0.1 part 2 §2.1.4)."""

_LARGEST_FILE_BYTES = 1_000_000


class StationConfig(Value):
    """[station]. `firmware_version` None: the running image's own."""

    identity: str
    vendor: str
    model: str
    serial_number: str
    firmware_version: str | None


class CsmsConfig(Value):
    """[csms], the factory's way to a CSMS: what provisioning sets wins. `versions`: offered, preferred first.

    `security_profile` None: not set, it follows the URL in force (`provisioning.connection`).
    """

    url: str | None
    versions: tuple[str, ...]
    security_profile: int | None


class DriverConfig(Value):
    """A driver by its registered name, with the options that the driver validates."""

    driver: str
    options: dict[str, Any]


class EvseConfig(Value):
    """One [[evse]]: a driver for the whole of it, or for single roles, or both (the roles' own win).

    `ventilation`: the place is ventilated, so a car that asks for it may charge.
    """

    id: int
    connectors: tuple[str, ...]
    max_current_a: float
    phases: int
    driver: DriverConfig | None
    parts: dict[str, DriverConfig]
    ventilation: bool


class FirmwareConfig(Value):
    """[firmware]. `install_command` belongs to the installer "command"."""

    installer: str
    install_command: tuple[str, ...]


class ServicePortConfig(Value):
    """[service_port]."""

    port: str
    baudrate: int


class AgentConfig(Value):
    """A valid configuration file.

    `factory_values` are variables in standard spelling; `custom` declares the maker's own ones.
    """

    path: Path
    station: StationConfig
    csms: CsmsConfig
    evses: tuple[EvseConfig, ...]
    readers: tuple[DriverConfig, ...]
    hal: dict[str, dict[str, Any]]
    firmware: FirmwareConfig
    service_port: ServicePortConfig | None
    reboot_command: tuple[str, ...]
    custom: tuple[VariableSpec, ...]
    factory_values: tuple[tuple[VariableId, str], ...]
    warnings: tuple[str, ...]


def resolve_config_path(option: str | None = None) -> Path:
    """`--config`, else $EVSE_AGENT_CONFIG, else config.toml in the site's (not root: user's) configuration."""
    named = option or os.environ.get("EVSE_AGENT_CONFIG")
    if named:
        return Path(named)
    from platformdirs import PlatformDirs  # noqa: PLC0415 - only without a name

    directories = PlatformDirs("evse-agent")
    return Path(directories.user_config_dir if os.geteuid() else directories.site_config_dir) / "config.toml"


def resolve_state_dir(option: str | None = None) -> Path:
    """`--state-dir`, else $EVSE_AGENT_STATE, else the site's (or user's, when not root) state directory."""
    named = option or os.environ.get("EVSE_AGENT_STATE")
    if named:
        return Path(named)
    from platformdirs import PlatformDirs  # noqa: PLC0415 - only without a name

    directories = PlatformDirs("evse-agent")
    return Path(directories.user_state_dir if os.geteuid() else directories.site_state_dir)


def load(path: Path) -> AgentConfig:
    """Reads and validates the file. Raises ConfigError with every mistake in it."""
    problems: list[ConfigProblem] = []
    warnings: list[str] = []
    root = ConfigTable(str(path), "", _read(path), problems)
    csms = _csms(root.table("csms"), warnings)
    station = _station(root.table("station"), csms)
    evses = tuple(_evse(table, number) for number, table in enumerate(root.tables("evse"), start=1))
    if not evses:
        root.problem("evse", "describes no EVSE", "must describe at least one: [[evse]]")
    if csms.url and csms.url.partition("?")[0].rstrip("/").endswith(f"/{station.identity}"):
        warnings.append("csms.url already ends with the identity, which is appended to it again")
    readers = tuple(_driver(table) for table in root.tables("reader"))
    hal = root.table("hal")
    hal_options = {name: hal.table(name).content() for name in hal.names()}
    firmware = _firmware(root.table("firmware"))
    service_port = _service_port(root.table("service_port")) if "service_port" in root else None
    system = root.table("system")
    reboot_command = system.strings("reboot_command")
    system.done()
    standard = _standard_variables(station, evses, "")
    custom = tuple(read_custom(root.table("custom"), standard))
    factory_values = tuple(read_factory_values(root, _model(standard, custom)))
    root.done()
    if problems:
        raise ConfigError(problems)
    return AgentConfig(
        path=path,
        station=station,
        csms=csms,
        evses=evses,
        readers=readers,
        hal=hal_options,
        firmware=firmware,
        service_port=service_port,
        reboot_command=reboot_command,
        custom=custom,
        factory_values=factory_values,
        warnings=tuple(warnings),
    )


def device_model(config: AgentConfig, firmware_version: str) -> DeviceModel:
    """A fresh device model of the configured station, at its factory values; `firmware_version` is what runs."""
    model = _model(_standard_variables(config.station, config.evses, firmware_version), config.custom)
    for variable, value in config.factory_values:
        model.set_factory(variable, value)
    if config.csms.security_profile is not None:
        model.set_factory(SECURITY_PROFILE, str(config.csms.security_profile))
    model.set(IDENTITY, config.station.identity, Source.STATION)
    return model


def evse_spec(evse: EvseConfig) -> EvseSpec:
    """An EVSE as the core knows it. Whether it has a lock is for its drivers to say."""
    connectors = tuple(ConnectorSpec(number, kind) for number, kind in enumerate(evse.connectors, start=1))
    return EvseSpec(evse.id, connectors, evse.max_current_a, evse.phases, ventilation=evse.ventilation)


def _standard_variables(
    station: StationConfig, evses: tuple[EvseConfig, ...], firmware_version: str
) -> list[VariableSpec]:
    return station_variables(
        map(evse_spec, evses),
        vendor=station.vendor,
        model=station.model,
        serial_number=station.serial_number,
        firmware_version=station.firmware_version or firmware_version,
    )


def _model(standard: Iterable[VariableSpec], custom: Iterable[VariableSpec]) -> DeviceModel:
    return DeviceModel([*standard, *custom], measurand_items(MEASURANDS))


def _read(path: Path) -> dict[str, Any]:
    def failed(wrong: str, right: str) -> ConfigError:
        return ConfigError([ConfigProblem(str(path), "", wrong, right)])

    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE_BYTES + 1)
    except FileNotFoundError:
        raise failed("is not there", "name the file with --config or in $EVSE_AGENT_CONFIG") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise failed(f"cannot be read ({reason})", "must be a readable TOML file") from error
    if len(content) > _LARGEST_FILE_BYTES:
        raise failed("is too large", f"must have at most {_LARGEST_FILE_BYTES} bytes")
    try:
        return tomllib.loads(content.decode())
    except UnicodeDecodeError as error:
        raise failed(f"has a byte that is not UTF-8 at offset {error.start}", "must be TOML in UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise failed(f"is not TOML ({error})", "correct this place first; the rest is checked afterwards") from error


def _station(table: ConfigTable, csms: CsmsConfig) -> StationConfig:
    identity = table.string("identity", longest=48, required=True)
    strange = sorted(set(identity) - IDENTIFIER_CHARACTERS)
    if strange:
        shown = " ".join(map(repr, strange))
        table.problem("identity", f"holds {shown}", "may hold A-Z a-z 0-9 * - _ = : + | @ . (OCPP's identifierString)")
    elif ":" in identity and csms.security_profile in (None, 1, 2):
        table.problem("identity", "holds ':'", "must not with basic authentication, which ends the user name with it")
    # the lengths are those of OCPP 1.6's BootNotification
    station = StationConfig(
        identity=identity,
        vendor=table.string("vendor", longest=20, required=True),
        model=table.string("model", longest=20, required=True),
        serial_number=table.string("serial_number", longest=25),
        firmware_version=table.string("firmware_version", longest=50) or None,
    )
    table.done()
    return station


def _csms(table: ConfigTable, warnings: list[str]) -> CsmsConfig:
    url = table.string("url", longest=512) or None
    scheme = _check_url(table, url) if url else ""
    profile = (
        table.integer("security_profile", 2 if scheme == "wss" else 1, 0, 3) if "security_profile" in table else None
    )
    if scheme and profile is not None and (scheme == "wss") != (profile >= 2):
        right = "profiles 0 and 1 go with ws://, 2 and 3 with wss://"
        table.problem("security_profile", f"is {profile} with a {scheme}:// url", right)
    if profile == 0:
        warnings.append("csms.security_profile is 0: no credentials, no encryption; for a bench only")
    versions = table.strings("versions", IMPLEMENTED_VERSIONS)
    for version in versions:
        if version not in OCPP_VERSIONS:
            table.problem("versions", f"names {version!r}", f"may name {', '.join(OCPP_VERSIONS)}")
        elif version not in IMPLEMENTED_VERSIONS:
            warnings.append(f"csms.versions: {version} is not supported yet and will not be offered")
    offered = tuple(version for version in dict.fromkeys(versions) if version in IMPLEMENTED_VERSIONS)
    if not offered:
        table.problem("versions", "leaves no supported version", f"must name one of {', '.join(IMPLEMENTED_VERSIONS)}")
    table.done()
    return CsmsConfig(url, offered, profile)


def _check_url(table: ConfigTable, url: str) -> str:
    """Notes what is wrong with the URL; returns its scheme if that is usable, else an empty text."""
    right = "must be as in wss://csms.example.com:443/ocpp"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:  # its text may show a part of a password
        table.problem("url", "is not a URL", right)
        return ""
    if parts.scheme not in ("ws", "wss"):
        table.problem("url", f"starts with {parts.scheme or 'no scheme'}", "must start with ws:// or wss://")
        return ""
    if not host or any(character.isspace() for character in url):
        table.problem("url", "has no host name" if not host else "holds spaces", right)
    if parts.username is not None or parts.password is not None:
        table.problem("url", "holds credentials", "must not; the password is set with evse-provision")
    if parts.fragment:
        table.problem("url", "has a #fragment", "must end with the path; the identity is appended to it")
    return parts.scheme


def _evse(table: ConfigTable, number: int) -> EvseConfig:
    evse_id = table.integer("id", number, 1, 1000, required=True)
    if evse_id != number:
        table.problem("id", f"is {evse_id}", f"must be {number}: EVSEs are numbered 1, 2, ... in the order of the file")
    connectors = table.strings("connectors", required=True)
    for kind in connectors:
        if kind not in CONNECTOR_TYPES:
            table.unknown("connectors", kind, CONNECTOR_TYPES)
    max_current_a = table.number("max_current", 32.0, 6, 1000, "A", required=True)
    phases = table.integer("phases", 3, 1, 3, required=True)
    if phases == 2:
        table.problem("phases", "is 2", "must be 1 or 3")
    parts = {part: _driver(table.table(part)) for part in PARTS if part in table}
    driver = _driver_of(table) if "driver" in table or not parts else None
    ventilation = table.boolean("ventilation", default=False)
    table.done()
    return EvseConfig(number, connectors, max_current_a, phases, driver, parts, ventilation)


def _driver(table: ConfigTable) -> DriverConfig:
    driver = _driver_of(table)
    table.done()
    return driver


def _driver_of(table: ConfigTable) -> DriverConfig:
    return DriverConfig(table.string("driver", longest=100, required=True), table.table("options").content())


def _firmware(table: ConfigTable) -> FirmwareConfig:
    installer = table.choice("installer", "slots", ("slots", "rauc", "command", "mock"))
    command = table.strings("install_command", required=installer == "command")
    if command and installer != "command":
        table.problem("install_command", f"is given with installer {installer!r}", 'belongs to installer = "command"')
    table.done()
    return FirmwareConfig(installer, command)


def _service_port(table: ConfigTable) -> ServicePortConfig:
    port = ServicePortConfig(
        table.string("port", longest=200, required=True), table.integer("baudrate", 115_200, 1200, 4_000_000)
    )
    table.done()
    return port
