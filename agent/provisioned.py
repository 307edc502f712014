"""The station's settings at work: what the technician and the CSMS set, over what the factory set.

The one writer of settings.json while the agent runs; it holds the state directory's lock.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.charging.device_model import DeviceModel, Source, VariableId
from agent.charging.effects import SaveAvailability
from agent.charging.variables import BASIC_AUTH_PASSWORD, IDENTITY, SECURITY_PROFILE
from agent.config import AgentConfig
from agent.csms.target import Target
from agent.ocpp.versions import V16
from provisioning.connection import in_force
from provisioning.errors import SettingsError
from provisioning.settings import Content, Csms, Settings
from provisioning.state_lock import AGENT, StateLock, exclusive

logger = logging.getLogger(__name__)

# A restart in place meets a tool that is just writing.
_LOCK_WAIT_S = 2.0


class Provisioned:
    """Settings, configuration file and device model, kept in step."""

    def __init__(self, lock: StateLock, settings: Settings, config: AgentConfig, model: DeviceModel) -> None:
        self._lock = lock
        self._settings = settings
        self._config = config
        self._model = model
        self._restore()
        model.constrain(SECURITY_PROFILE, self._why_not_profile)

    @classmethod
    def open(cls, state_dir: Path, config: AgentConfig, model: DeviceModel) -> Provisioned:
        """Raises ProvisioningError: another agent runs on this state directory, or it cannot be used."""
        lock = exclusive(state_dir, _LOCK_WAIT_S, program=AGENT)
        try:
            settings = Settings.load(state_dir)
        except BaseException:
            lock.release()
            raise
        for warning in settings.warnings:
            logger.error("%s", warning)
        return cls(lock, settings, config, model)

    def close(self) -> None:
        self._lock.release()

    def _restore(self) -> None:
        csms = self.csms
        self._model.set(IDENTITY, csms.identity or "", Source.STATION)
        self._model.set(SECURITY_PROFILE, str(csms.security_profile), Source.STATION)
        for key, value in self._settings.content.variables.items():
            try:
                reason = self._model.restore(VariableId.parse(key), value).reason
            except ValueError as error:
                reason = str(error)
            if reason:
                logger.warning("the setting %s no longer fits and is ignored: %s", key, reason)
        self._model.drain_changes()

    def _why_not_profile(self, value: str) -> str | None:
        """What a higher security profile lacks (security white paper A05.FR.02..04); None: nothing."""
        csms, profile = self.csms, int(value)
        if profile == csms.security_profile:
            return None
        if profile in (1, 2) and csms.basic_auth_password is None:
            return "needs a password (AuthorizationKey)"
        if profile >= 2 and (csms.root_ca is None or not (csms.url or "").startswith("wss:")):
            return "needs the CSMS's root certificate and a wss URL"
        if profile == 3 and csms.client_certificate is None:
            return "needs a client certificate"
        return None

    # --- the CSMS -----------------------------------------------------------------------------------------------------

    @property
    def csms(self) -> Csms:
        """The connection settings in force."""
        return connection_settings(self._settings.content, self._config)

    @property
    def csms_name(self) -> str:
        """Whom the station belongs to: for telling one CSMS from another."""
        csms = self.csms
        return f"{csms.url} {csms.identity}"

    def target(self) -> Target | None:
        """Whom to dial now; None while no CSMS is configured."""
        return target(self._settings.content, self._config)

    # --- changes ------------------------------------------------------------------------------------------------------

    @property
    def inoperative(self) -> frozenset[tuple[int, int]]:
        """The (evse, connector) addresses that are to be out of service; (0, 0) the station, connector 0 an EVSE."""
        return frozenset(
            (int(evse), int(connector or 0))
            for key, value in self._settings.content.availability.items()
            for evse, _, connector in (key.partition("."),)
            if value == "Inoperative" and evse.isdecimal() and (connector or "0").isdecimal()
        )

    def save_availability(self, change: SaveAvailability) -> None:
        key = f"{change.evse_id}.{change.connector_id}" if change.connector_id else str(change.evse_id)
        availability = dict(self._settings.content.availability)
        if change.operative:
            availability.pop(key, None)
        else:
            availability[key] = "Inoperative"
        self._settings.update(availability=availability)
        self._save()

    def save_variables(self) -> bool:
        """Make the device model's changes durable. True: how to reach or convince the CSMS is among them."""
        before = csms = self._settings.content.csms
        variables = dict(self._settings.content.variables)
        for variable, value in self._model.drain_changes():
            if variable == BASIC_AUTH_PASSWORD:
                csms = csms._replace(basic_auth_password=bytes.fromhex(value))
            elif variable == SECURITY_PROFILE:
                csms = csms._replace(security_profile=int(value))
            elif self._model.spec(variable).persistent:
                variables[str(variable)] = value
        self._settings.update(csms=csms, variables=variables)
        self._save()
        return csms != before

    def _save(self) -> None:
        try:
            self._settings.save()
        except SettingsError as error:
            # It counts from now on in any case, and is tried again with the next change.
            logger.error("a setting could not be stored: %s", error)  # noqa: TRY400 - no bug of ours

    def apply(self, request: Mapping[str, Any], utc_ms: int) -> dict[str, Any]:
        """A site profile handed over by the technician's tool; the answer for it."""
        from agent.catalogue import StationCatalogue  # noqa: PLC0415 - a rare request need not cost every start
        from provisioning.hand_over import answer  # noqa: PLC0415

        reply = answer(request, self._settings, StationCatalogue(self._config), utc_ms)
        if reply["ok"]:
            self._restore()
        return reply


def factory_connection(config: AgentConfig) -> Csms:
    """What the configuration file says."""
    csms = config.csms
    return Csms(csms.url, config.station.identity, csms.security_profile, csms.versions)


def connection_settings(content: Content, config: AgentConfig) -> Csms:
    """What provisioning set, over what the configuration file says; the security profile is never None."""
    return in_force(factory_connection(config), content.csms)


def target(content: Content, config: AgentConfig) -> Target | None:
    """Whom to dial; None while no CSMS is configured."""
    csms = connection_settings(content, config)
    if not csms.url or not csms.identity:
        return None
    return Target(
        url=csms.url,
        identity=csms.identity,
        subprotocols=(V16.subprotocol,),
        security_profile=csms.security_profile or 0,
        password=csms.basic_auth_password,
        root_ca_pem=csms.root_ca,
        client_certificate_pem=csms.client_certificate,
        client_key_pem=csms.client_key,
        proxy=content.network.proxy,
    )
