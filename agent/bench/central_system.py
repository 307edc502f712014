"""The CSMS's usual answers, on the `ocpp` package's ChargePoint: the counterpart that shares no code with the agent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from ocpp.exceptions import OCPPError  # type: ignore[import-untyped]  # the package carries no types
from ocpp.messages import Call, CallResult, validate_payload  # type: ignore[import-untyped]  # likewise
from ocpp.routing import on  # type: ignore[import-untyped]  # likewise
from ocpp.v16 import ChargePoint, call_result  # type: ignore[import-untyped]  # likewise

from agent.bench.answers import CallError

VERSION = "1.6"

_Handler = TypeVar("_Handler", bound=Callable[..., object])
_answers: Callable[[str], Callable[[_Handler], _Handler]] = on  # the package's decorator, typed


class Wire(Protocol):
    """The connection under a ChargePoint."""

    async def recv(self) -> str | bytes:
        """The next frame."""

    async def send(self, frame: str) -> None:
        """Send a frame."""


class Policy(Protocol):
    """What the usual answers depend on."""

    def register(self) -> tuple[str, int]:
        """The registration status and the interval (s) for a BootNotification."""

    def now(self) -> str:
        """The CSMS's clock, RFC 3339."""

    def id_tag_info(self, id_tag: str) -> Mapping[str, str]:
        """The IdTagInfo for an idTag."""

    def transaction_id(self, station: str, message_id: str) -> int:
        """The id for a StartTransaction; a retry under the same message id gets the same one."""


class CentralSystem(ChargePoint):  # type: ignore[misc]  # the package carries no types
    """One connection of a station. Every call of the Core profile is answered as `policy` says."""

    def __init__(self, station: str, wire: Wire, policy: Policy) -> None:
        super().__init__(station, wire)
        self._policy = policy

    @_answers("Authorize")
    def authorize(self, id_tag: str, **_: object) -> object:
        return call_result.Authorize(id_tag_info=dict(self._policy.id_tag_info(id_tag)))

    @_answers("BootNotification")
    def boot_notification(self, **_: object) -> object:
        status, interval_s = self._policy.register()
        return call_result.BootNotification(current_time=self._policy.now(), interval=interval_s, status=status)

    @_answers("DataTransfer")
    def data_transfer(self, **_: object) -> object:
        return call_result.DataTransfer(status="UnknownVendorId")

    @_answers("DiagnosticsStatusNotification")
    def diagnostics_status_notification(self, **_: object) -> object:
        return call_result.DiagnosticsStatusNotification()

    @_answers("FirmwareStatusNotification")
    def firmware_status_notification(self, **_: object) -> object:
        return call_result.FirmwareStatusNotification()

    @_answers("Heartbeat")
    def heartbeat(self, **_: object) -> object:
        return call_result.Heartbeat(current_time=self._policy.now())

    @_answers("MeterValues")
    def meter_values(self, **_: object) -> object:
        return call_result.MeterValues()

    @_answers("SecurityEventNotification")
    def security_event_notification(self, **_: object) -> object:
        return call_result.SecurityEventNotification()

    @_answers("StartTransaction")
    def start_transaction(self, id_tag: str, call_unique_id: str, **_: object) -> object:
        return call_result.StartTransaction(
            transaction_id=self._policy.transaction_id(self.id, call_unique_id),
            id_tag_info=dict(self._policy.id_tag_info(id_tag)),
        )

    @_answers("StatusNotification")
    def status_notification(self, **_: object) -> object:
        return call_result.StatusNotification()

    @_answers("StopTransaction")
    def stop_transaction(self, id_tag: str | None = None, **_: object) -> object:
        info = None if id_tag is None else dict(self._policy.id_tag_info(id_tag))
        return call_result.StopTransaction(id_tag_info=info)


def call_text(message_id: str, action: str, payload: Mapping[str, Any]) -> str:
    """A CALL's frame."""
    return str(Call(message_id, action, dict(payload)).to_json())


async def refusal_of(action: str, payload: object, *, answer: bool = False) -> CallError | None:
    """Why the schema of a call, or of its answer, refuses this payload; None if it does not."""
    message = CallResult("", payload, action) if answer else Call("", action, payload)
    try:
        await validate_payload(message, VERSION)
    except OCPPError as error:
        return CallError(error.code, error.description, {"cause": str(error.details.get("cause", ""))[:500]})
    return None
