"""Devices that do not open or stop answering, and come back."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from hal.access import Access
from hal.deadline import within
from hal.errors import BoardConfigError, HalError
from hal.faults import FaultCode
from hal.signals import FaultSignal
from hal.spec import Timing
from hal.value import Value

_log = logging.getLogger("hal.failures")

T = TypeVar("T")


async def _enough() -> None:
    """There is nothing to ask: that it opens says it all."""


class Device(Value):
    """A device that may fail.

    name: in words, unique among those of one owner. code: None where nothing depends on it, or only devices that
    report faults of their own. probe: asks it something, or does what was left undone; when that works, the failure
    is over.
    """

    name: str
    access: Access[Any]
    code: FaultCode | None
    vendor_code: str
    timeout_s: float
    probe: Callable[[], Awaitable[object]] = _enough


class Failures:
    """The failed devices of one EVSE, or of the station. Only while there are some, anything wakes up to try again."""

    def __init__(self, evse_id: int, timing: Timing, on_fault: Callable[[FaultSignal], None]) -> None:
        self._evse_id = evse_id
        self._timing = timing
        self._on_fault = on_fault
        self._failed: dict[str, Device] = {}
        self._faults: dict[str, FaultSignal] = {}
        self._probing: asyncio.Task[None] | None = None
        self._stopped = False

    async def open(self, device: Device) -> bool:
        """Open it; False if that is to be tried again. Raises BoardConfigError: no trying again would help."""
        try:
            await device.access.open(self._timing.open_s)
        except BoardConfigError:
            raise
        except HalError as error:
            _log.warning("%s does not open, trying again: %s", self._title(device), error)
            self.fail(device, error)
            return False
        return True

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
        """The device does not work: report its fault and keep trying."""
        self._failed[device.name] = device
        if device.code is not None:
            before = self._faults.get(device.name)
            fault = FaultSignal(self._evse_id, device.code, True, device.vendor_code, str(error))
            self._faults[device.name] = fault
            self._on_fault(fault)
            if before is not None and before.vendor_code != fault.vendor_code:
                self._clear(before)
        if not self._stopped and (self._probing is None or self._probing.done()):
            self._probing = asyncio.create_task(self._probe())

    def mend(self, device: Device) -> None:
        """The device works: clear its fault, if it had one."""
        if self._failed.pop(device.name, None) is not None:
            _log.info("%s works again", self._title(device))
        if (fault := self._faults.pop(device.name, None)) is not None:
            self._clear(fault)

    async def stop(self) -> None:
        """Try no more."""
        self._stopped = True
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.wait({self._probing})

    def _clear(self, fault: FaultSignal) -> None:
        """Two readers, or the locks of two connectors, have the same fault: it lasts as long as one of them has it."""
        source = (fault.code, fault.vendor_code)
        same = (other for other in self._faults.values() if (other.code, other.vendor_code) == source)
        self._on_fault(next(same, fault._replace(active=False)))

    def _title(self, device: Device) -> str:
        return f"EVSE {self._evse_id}: {device.name}" if self._evse_id else f"station: {device.name}"

    async def _probe(self) -> None:
        while self._failed:
            await asyncio.sleep(self._timing.probe_interval_s)
            for device in list(self._failed.values()):
                try:
                    await device.access.open(self._timing.open_s)
                    await within(device.timeout_s, device.name, device.probe())
                except HalError:
                    continue
                self.mend(device)
