"""Devices that stop answering, and come back."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from hal.deadline import within
from hal.errors import HalError
from hal.faults import FaultCode
from hal.signals import FaultSignal
from hal.value import Value

T = TypeVar("T")


class Device(Value):
    """A device whose failure is a fault.

    name: in words, for the fault's text. probe: asks it something; when that works, the failure is over.
    """

    name: str
    code: FaultCode
    vendor_code: str
    timeout_s: float
    probe: Callable[[], Awaitable[object]]


class Failures:
    """The failed devices of one EVSE. Only while there are some does anything wake up to ask them again."""

    def __init__(self, evse_id: int, probe_interval_s: float, on_fault: Callable[[FaultSignal], None]) -> None:
        self._evse_id = evse_id
        self._probe_interval_s = probe_interval_s
        self._on_fault = on_fault
        self._failed: dict[str, tuple[Device, FaultSignal]] = {}
        self._probing: asyncio.Task[None] | None = None
        self._stopped = False

    async def ask(self, device: Device, question: Callable[[], Awaitable[T]]) -> T:
        """The device's answer, which clears its fault. Raises HalError, after the fault has been reported."""
        try:
            answer = await within(device.timeout_s, device.name, question())
        except HalError as error:
            self.fail(device, error)
            raise
        self.mend(device)
        return answer

    async def answers(self, device: Device, question: Callable[[], Awaitable[object]]) -> bool:
        """As `ask`, for a caller to whom the fault says it all."""
        try:
            await self.ask(device, question)
        except HalError:
            return False
        return True

    def fail(self, device: Device, error: HalError) -> None:
        """The device does not work: report its fault and keep asking."""
        fault = FaultSignal(self._evse_id, device.code, True, device.vendor_code, str(error))
        _, before = self._failed.get(device.name, (device, None))
        self._failed[device.name] = (device, fault)
        self._on_fault(fault)
        if before is not None and before.vendor_code != fault.vendor_code:
            self._on_fault(before._replace(active=False))
        if not self._stopped and (self._probing is None or self._probing.done()):
            self._probing = asyncio.create_task(self._probe())

    def mend(self, device: Device) -> None:
        """The device works: clear its fault, if it had one."""
        if (failed := self._failed.pop(device.name, None)) is not None:
            self._on_fault(failed[1]._replace(active=False))

    async def stop(self) -> None:
        """Ask no more."""
        self._stopped = True
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.wait({self._probing})

    async def _probe(self) -> None:
        while self._failed:
            await asyncio.sleep(self._probe_interval_s)
            for device, _ in list(self._failed.values()):
                try:
                    await within(device.timeout_s, device.name, device.probe())
                except HalError:
                    continue
                self.mend(device)
