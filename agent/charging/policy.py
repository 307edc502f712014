"""The variables that the core acts on, as typed values. The device model holds them (device_model.py)."""

from __future__ import annotations

from typing import Protocol

from agent.charging import variables
from agent.charging.device_model import SetOutcome, Source, VariableId


class Variables(Protocol):
    def integer(self, variable: VariableId) -> int: ...
    def boolean(self, variable: VariableId) -> bool: ...
    def member_list(self, variable: VariableId) -> tuple[str, ...]: ...
    def set(self, variable: VariableId, value: str, source: Source) -> SetOutcome: ...


class Policy:
    """Reads through to the device model at each use: a change takes effect with the next decision."""

    __slots__ = ("_model",)

    def __init__(self, model: Variables) -> None:
        self._model = model

    @property
    def ev_connection_timeout_s(self) -> int:
        return self._model.integer(variables.EV_CONNECTION_TIME_OUT)

    @property
    def stop_on_invalid_id(self) -> bool:
        return self._model.boolean(variables.STOP_TX_ON_INVALID_ID)

    @property
    def stop_on_ev_side_disconnect(self) -> bool:
        return self._model.boolean(variables.STOP_TX_ON_EV_SIDE_DISCONNECT)

    @property
    def unlock_on_ev_side_disconnect(self) -> bool:
        return self._model.boolean(variables.UNLOCK_ON_EV_SIDE_DISCONNECT)

    @property
    def max_energy_on_invalid_id_wh(self) -> int:
        return self._model.integer(variables.MAX_ENERGY_ON_INVALID_ID)

    @property
    def tx_start_points(self) -> tuple[str, ...]:
        return self._model.member_list(variables.TX_START_POINT)

    @property
    def tx_stop_points(self) -> tuple[str, ...]:
        return self._model.member_list(variables.TX_STOP_POINT)

    @property
    def tx_before_accepted(self) -> bool:
        return self._model.boolean(variables.TX_BEFORE_ACCEPTED_ENABLED)

    @property
    def heartbeat_interval_s(self) -> int:
        return self._model.integer(variables.HEARTBEAT_INTERVAL)

    @heartbeat_interval_s.setter
    def heartbeat_interval_s(self, interval_s: int) -> None:
        self._model.set(variables.HEARTBEAT_INTERVAL, str(interval_s), Source.STATION)

    @property
    def back_off_minimum_s(self) -> int:
        return self._model.integer(variables.RETRY_BACK_OFF_WAIT_MINIMUM)

    @property
    def back_off_random_range_s(self) -> int:
        return self._model.integer(variables.RETRY_BACK_OFF_RANDOM_RANGE)

    @property
    def back_off_repeat_times(self) -> int:
        return self._model.integer(variables.RETRY_BACK_OFF_REPEAT_TIMES)

    @property
    def authorize_remote_start(self) -> bool:
        return self._model.boolean(variables.AUTHORIZE_REMOTE_START)

    @property
    def local_authorize_offline(self) -> bool:
        return self._model.boolean(variables.LOCAL_AUTHORIZE_OFFLINE)

    @property
    def local_pre_authorize(self) -> bool:
        return self._model.boolean(variables.LOCAL_PRE_AUTHORIZE)

    @property
    def offline_tx_for_unknown_id(self) -> bool:
        return self._model.boolean(variables.OFFLINE_TX_FOR_UNKNOWN_ID_ENABLED)

    @property
    def auth_cache_enabled(self) -> bool:
        return self._model.boolean(variables.AUTH_CACHE_ENABLED)

    @property
    def auth_cache_life_time_s(self) -> int:
        return self._model.integer(variables.AUTH_CACHE_LIFE_TIME)

    @property
    def local_only(self) -> bool:
        return self._model.boolean(variables.DISABLE_REMOTE_AUTHORIZATION)

    @property
    def trust_cached_refusal(self) -> bool:
        return self._model.boolean(variables.AUTH_CACHE_DISABLE_POST_AUTHORIZE)

    @property
    def sampled_interval_s(self) -> int:
        """0: no samples."""
        enabled = self._model.boolean(variables.SAMPLED_DATA_ENABLED)
        return self._model.integer(variables.SAMPLED_TX_UPDATED_INTERVAL) if enabled else 0

    @property
    def sampled_measurands(self) -> tuple[str, ...]:
        return self._model.member_list(variables.SAMPLED_TX_UPDATED_MEASURANDS)

    @property
    def sampled_ended_measurands(self) -> tuple[str, ...]:
        return self._model.member_list(variables.SAMPLED_TX_ENDED_MEASURANDS)

    @property
    def aligned_interval_s(self) -> int:
        """0: no clock-aligned values."""
        enabled = self._model.boolean(variables.ALIGNED_DATA_ENABLED)
        return self._model.integer(variables.ALIGNED_INTERVAL) if enabled else 0

    @property
    def aligned_only_idle(self) -> bool:
        return self._model.boolean(variables.ALIGNED_SEND_DURING_IDLE)

    @property
    def aligned_measurands(self) -> tuple[str, ...]:
        return self._model.member_list(variables.ALIGNED_MEASURANDS)

    @property
    def aligned_ended_measurands(self) -> tuple[str, ...]:
        return self._model.member_list(variables.ALIGNED_TX_ENDED_MEASURANDS)

    @property
    def meter_failure_grace_s(self) -> int:
        return self._model.integer(variables.METER_FAILURE_GRACE)

    @property
    def save_interval_s(self) -> int:
        return self._model.integer(variables.TRANSACTION_SAVE_INTERVAL)

    @property
    def offline_limit_delay_s(self) -> int:
        return self._model.integer(variables.OFFLINE_LIMIT_DELAY)

    @property
    def offline_current_limit_a(self) -> int:
        return self._model.integer(variables.OFFLINE_CURRENT_LIMIT)

    @property
    def minimum_status_duration_s(self) -> int:
        return self._model.integer(variables.MINIMUM_STATUS_DURATION)
