"""The hardware that the configuration file describes, in the HAL's words."""

from __future__ import annotations

from pathlib import Path

from agent.config import AgentConfig, EvseConfig
from hal.spec import BoardSpec, EvseSpec, PartSpec


def board_spec(config: AgentConfig, state_dir: Path) -> BoardSpec:
    """The hardware that the configuration describes."""
    return BoardSpec(
        evses=tuple(_evse(evse) for evse in config.evses),
        readers=tuple(PartSpec(reader.driver, reader.options) for reader in config.readers),
        hal_options=config.hal,
        state_dir=state_dir,
    )


def _evse(evse: EvseConfig) -> EvseSpec:
    return EvseSpec(
        id=evse.id,
        connectors=evse.connectors,
        max_current_a=evse.max_current_a,
        phases=evse.phases,
        driver=evse.driver.driver if evse.driver else None,
        options=evse.driver.options if evse.driver else {},
        parts={role: PartSpec(part.driver, part.options) for role, part in evse.parts.items()},
        ventilation=evse.ventilation,
    )
