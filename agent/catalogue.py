"""The settings that this station knows, for the technician's tool (provisioning/catalogue.py)."""

from __future__ import annotations

from agent.charging.characteristics import VariableId
from agent.charging.device_model import Source
from agent.config import IMPLEMENTED_VERSIONS, AgentConfig, device_model
from agent.ocpp.v16.configuration import ConfigurationKeys
from provisioning.catalogue import Checked
from provisioning.settings import Csms


class StationCatalogue:
    """Judges values by the configured station's own device model."""

    def __init__(self, config: AgentConfig) -> None:
        self._config = config
        self._model = device_model(config, "")
        self._keys = ConfigurationKeys(self._model)

    @property
    def factory(self) -> Csms:
        csms = self._config.csms
        return Csms(
            url=csms.url,
            identity=self._config.station.identity,
            security_profile=csms.security_profile,
            versions=csms.versions,
        )

    @property
    def versions(self) -> tuple[str, ...]:
        return IMPLEMENTED_VERSIONS

    def check_configuration(self, name: str, value: str) -> Checked:
        key = self._keys.find(name)
        if key is None:
            return Checked(wrong="is not a configuration key", right=_nearest(name, self._keys.names()))
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
            names = [str(spec.id) for spec in self._model.items()]
            return Checked(wrong="is not a variable of this station", right=_nearest(str(wanted), names))
        return self._check([(known, value)], value)

    def _check(self, assignments: list[tuple[VariableId, str]], value: str) -> Checked:
        for variable, each in assignments:
            outcome = self._model.check(variable, each, Source.TECHNICIAN)
            if not outcome.accepted:
                return Checked(wrong=f"cannot be {value!r}", right=outcome.reason)
        self._model.set_all(assignments, Source.TECHNICIAN)
        self._model.drain_changes()
        return Checked(tuple((str(variable), self._model.get(variable)) for variable, _ in assignments))


def _nearest(name: str, known: list[str]) -> str:
    import difflib  # noqa: PLC0415 - for a mistake only

    folded = {each.casefold(): each for each in known}
    near = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.5)
    return f"did you mean {folded[near[0]]}?" if near else "see docs/configuration.md for the known names"
