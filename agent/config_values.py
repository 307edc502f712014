"""The configuration file's factory values: OCPP 1.6 keys, 2.x variables, and the maker's own of both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from agent.charging import variables as v
from agent.charging.characteristics import DataType, VariableId, VariableSpec, normalise
from agent.charging.device_model import DeviceModel
from agent.config_table import ConfigTable
from agent.ocpp.v16.configuration import KEYS, ConfigurationKeys

# Variables that another key of the file, or provisioning, is the one place for.
_ELSEWHERE = {
    v.IDENTITY: "set it as identity in [station]",
    v.STATION_VENDOR_NAME: "set it as vendor in [station]",
    v.STATION_MODEL: "set it as model in [station]",
    v.STATION_SERIAL_NUMBER: "set it as serial_number in [station]",
    v.STATION_FIRMWARE_VERSION: "set it as firmware_version in [station]",
    v.SECURITY_PROFILE: "set it as security_profile in [csms]",
    v.BASIC_AUTH_PASSWORD: "it is a secret: set it with evse-provision",
}
_SCALAR_TYPES = {bool: DataType.BOOLEAN, int: DataType.INTEGER, float: DataType.DECIMAL, str: DataType.STRING}


def read_custom(table: ConfigTable, standard: Iterable[VariableSpec]) -> list[VariableSpec]:
    """[custom.configuration] and [custom.variables.<Component>]: the maker's own, typed as in the file.

    None may take the name of a standard key or variable.
    """
    declared: list[VariableSpec] = []
    taken = {spec.id.folded() for spec in standard}
    taken.update(VariableId(v.CUSTOM, key.name).folded() for key in KEYS)
    _declare(table.table("configuration"), v.CUSTOM, taken, declared)
    components = table.table("variables")
    for component in components.names():
        _declare(components.table(component), component, taken, declared)
    table.done()
    return declared


def _declare(table: ConfigTable, component: str, taken: set[VariableId], declared: list[VariableSpec]) -> None:
    for name, value in table.values().items():
        try:
            variable = VariableId.parse(f"{component}/{name}")
        except ValueError as error:
            table.problem(name, "is not a name", str(error))
            continue
        if variable.folded() in taken:
            table.problem(name, "is a name that already has a meaning", "declare a name of your own")
        elif len(name) > 50:
            table.problem(name, f"has {len(name)} characters", "must have at most 50")
        else:
            taken.add(variable.folded())
            # 500 characters: what OCPP 1.6 can carry of a value
            longest = 500 if isinstance(value, str) else None
            spec = VariableSpec(variable, _SCALAR_TYPES[type(value)], _text(value), max_limit=longest)
            try:
                declared.append(spec._replace(default=normalise(spec, spec.default)))
            except ValueError as error:
                table.problem(name, f"is {_text(value)!r}", str(error))


def read_factory_values(root: ConfigTable, model: DeviceModel) -> Iterator[tuple[VariableId, str]]:
    """[configuration] and [variables.<Component>], put into `model` as they are yielded, each mistake noted."""
    where: dict[VariableId, tuple[str, str]] = {}
    refused = ("", "")
    for table, name, known, value in _assignments(root, model):
        outcome = model.set_factory(known, value)
        earlier, earlier_value = where.setdefault(known, (f"{table.path}.{name}", value))
        if not outcome.accepted:
            if (table.path, name) != refused:  # one key may set two variables
                table.problem(name, f"is {value!r}", outcome.reason)
            refused = (table.path, name)
        elif earlier_value != value:
            table.problem(name, f"means the same as {earlier} and has another value", "give it once")
        else:
            yield known, model.get(known)


def _assignments(root: ConfigTable, model: DeviceModel) -> Iterator[tuple[ConfigTable, str, VariableId, str]]:
    """Each variable that the file sets, with the table and the name it is set by."""
    keys = ConfigurationKeys(model)
    configuration = root.table("configuration")
    for name, scalar in configuration.values().items():
        key = keys.find(name)
        if key is None:
            configuration.unknown(name, name, keys.names(), "the keys are listed in docs/configuration.md")
            continue
        if _belongs_elsewhere(configuration, name, key.variables):
            continue
        try:
            assignments = keys.resolve(name, _text(scalar))
        except ValueError as error:
            configuration.problem(name, f"is {_text(scalar)!r}", str(error))
            continue
        if not assignments:
            configuration.problem(name, "is computed", "leave it out")
        for variable, value in assignments:
            yield configuration, name, variable, value
    components = root.table("variables")
    for component in components.names():
        table = components.table(component)
        for name, scalar in table.values().items():
            known = _known(table, component, name, model)
            if known is not None and not _belongs_elsewhere(table, name, (known,)):
                yield table, name, known, _text(scalar)


def _known(table: ConfigTable, component: str, name: str, model: DeviceModel) -> VariableId | None:
    try:
        variable = VariableId.parse(f"{component}/{name}")
    except ValueError as error:
        table.problem(name, "is not a variable's name", str(error))
        return None
    known = model.find(variable)
    if known is not None:
        return known
    places = [str(spec.id).partition("/")[::2] for spec in model.items()]
    siblings = [other for place, other in places if place.casefold() == component.casefold()]
    if siblings:
        table.unknown(name, name, siblings)
    else:
        table.unknown("", component, sorted({place for place, _ in places}))
    return None


def _belongs_elsewhere(table: ConfigTable, name: str, variables: Iterable[VariableId]) -> bool:
    """Whether another place sets one of these. Notes it without showing the value, which may be secret."""
    for variable in variables:
        if variable in _ELSEWHERE:
            table.problem(name, "is not set here", _ELSEWHERE[variable])
            return True
    return False


def _text(scalar: str | int | float | bool) -> str:
    if isinstance(scalar, bool):
        return "true" if scalar else "false"
    return f"{scalar:.6f}".rstrip("0").rstrip(".") if isinstance(scalar, float) else str(scalar)
