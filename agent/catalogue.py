"""The settings that this station knows, for the technician's tool (provisioning/catalogue.py)."""

from __future__ import annotations

from agent.charging.characteristics import Mutability, VariableId
from agent.charging.device_model import Source
from agent.config import IMPLEMENTED_VERSIONS, AgentConfig, device_model
from agent.ocpp.v16.configuration import ConfigurationKeys
from agent.provisioned import factory_connection
from provisioning.catalogue import Checked
from provisioning.setting_names import dotted, nearest, variable_name
from provisioning.settings import Csms


class StationCatalogue:
    """Judges values by the configured station's own device model."""

    def __init__(self, config: AgentConfig) -> None:
        self._config = config
        self._model = device_model(config, "")
        self._keys = ConfigurationKeys(self._model)
        self._factory = {
            str(spec.id): self._model.get(spec.id)
            for spec in self._model.items()
            if spec.mutability is not Mutability.WRITE_ONLY
        }

    @property
    def factory(self) -> Csms:
        return factory_connection(self._config)

    @property
    def versions(self) -> tuple[str, ...]:
        return IMPLEMENTED_VERSIONS

    @property
    def names(self) -> tuple[str, ...]:
        return (
            *(dotted("configuration", name) for name in self._keys.names()),
            *(variable_name(str(spec.id)) for spec in self._model.items()),
        )

    def factory_value(self, key: str) -> str | None:
        return self._factory.get(key)

    def check_configuration(self, name: str, value: str) -> Checked:
        key = self._keys.find(name)
        if key is None:
            return Checked(wrong="is not a configuration key", right=self._nearest(name))
        try:
            assignments = self._keys.resolve(name, value)
        except ValueError as error:
            return Checked(wrong=f"cannot be {value!r}", right=str(error))
        if not assignments:
            return Checked(wrong="is computed by the station", right="leave it out")
        return self._check(assignments, value)

    def check_variable(self, component: str, variable: str, value: str) -> Checked:
        try:
            wanted = VariableId.parse(f"{component}/{variable}")
        except ValueError as error:
            return Checked(wrong="is not a variable's name", right=str(error))
        known = self._model.find(wanted)
        if known is None:
            right = self._nearest(dotted(component, variable))
            return Checked(wrong="is not a variable of this station", right=right)
        return self._check([(known, value)], value)

    def _check(self, assignments: list[tuple[VariableId, str]], value: str) -> Checked:
        for variable, each in assignments:
            outcome = self._model.check(variable, each, Source.TECHNICIAN)
            if not outcome.accepted:
                return Checked(wrong=f"cannot be {value!r}", right=outcome.reason)
        self._model.set_all(assignments, Source.TECHNICIAN)
        self._model.drain_changes()
        return Checked(tuple((str(variable), self._model.get(variable)) for variable, _ in assignments))

    def _nearest(self, name: str) -> str:
        meant = nearest(name, self.names)
        return f"did you mean {meant}?" if meant else "see docs/configuration.md for the known names"
