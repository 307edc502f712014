"""The one way to a contactor: opened by anything, closed only when the supervisor allows it.

An order to open never waits for an order to close: it cancels it. So the time from a fault to the open command is
one pass of the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from hal.deadline import within
from hal.errors import DeviceResponse, HalError, Interlocked
from hal.faults import VendorCode
from hal.interfaces.contactor import Contactor


class PowerPath:
    """One contactor.

    contactor: gives it, or raises DeviceUnavailable while it is not open.
    closed: the last feedback; None while it is unknown.
    interlock: why the contactor may not be closed now; None if it may.
    on_change: the feedback has changed. on_fault: the contactor does not do what it was told.
    """

    __slots__ = (
        "_contactor",
        "_interlock",
        "_on_change",
        "_on_fault",
        "_opening",
        "_order",
        "_timeout_s",
        "closed",
        "wanted_closed",
    )

    def __init__(
        self,
        contactor: Callable[[], Contactor],
        timeout_s: float,
        interlock: Callable[[], str | None],
        on_change: Callable[[bool], None],
        on_fault: Callable[[str, HalError], None],
    ) -> None:
        self._contactor = contactor
        self._timeout_s = timeout_s
        self._interlock = interlock
        self._on_change = on_change
        self._on_fault = on_fault
        self._order: asyncio.Task[HalError | None] | None = None
        self._opening = False
        self.closed: bool | None = None
        self.wanted_closed = False

    def trip(self) -> None:
        """Start to open, if it is not open, and return. A failure is reported to `on_fault`."""
        if self.closed is not False or self.wanted_closed:
            self._start_opening()

    async def open(self) -> None:
        """Open; return when the feedback says so. Raises HalError, after `on_fault` has heard of it."""
        if self.closed is False and not self.wanted_closed and not self._busy:
            return
        await self.reopen()

    async def reopen(self) -> None:
        """As `open`, but give the order in any case: also a test whether the contactor obeys."""
        # The order outlives a caller that is cancelled: nobody's impatience keeps a contactor closed.
        if error := await asyncio.shield(self._start_opening()):
            raise error

    async def close(self) -> None:
        """Close; return when the feedback says so.

        Raises Interlocked when it may not be closed or was opened meanwhile, another HalError when the contactor
        did not close, after `on_fault` has heard of it.
        """
        self._require_permission()
        if self._busy and self._order:
            await asyncio.wait({self._order})
            self._require_permission()
        if self.closed and self.wanted_closed:
            return
        self.wanted_closed = True
        self._opening = False
        order = self._order = asyncio.create_task(self._attempt(lambda: self._contactor().close_contacts()))
        try:
            await asyncio.wait({order})
        except asyncio.CancelledError:
            self.trip()
            raise
        if order.cancelled() or not self.wanted_closed:
            raise Interlocked("the contactor was ordered to open while it was closing")
        if error := order.result():
            self._note(await self._feedback())
            self._on_fault(VendorCode.CONTACTOR_LOST if self.closed is None else VendorCode.CONTACTOR_NOT_CLOSED, error)
            raise error
        self._note(True)

    async def check(self) -> None:
        """Read the feedback and compare it with the order; `on_fault` hears of what is wrong."""
        try:
            closed = await within(self._timeout_s, "contactor", self._contactor().is_closed())
        except HalError as error:
            self.closed = None
            self._on_fault(VendorCode.CONTACTOR_LOST, error)
        else:
            self.feedback(closed)

    def feedback(self, closed: bool) -> None:
        """The feedback contact says this, asked or unasked."""
        self._note(closed)
        if self._busy or closed == self.wanted_closed:
            return
        if closed:
            self._on_fault(VendorCode.CONTACTOR_WELDED, DeviceResponse("closed although it was ordered to open"))
        else:
            self._on_fault(VendorCode.CONTACTOR_NOT_CLOSED, DeviceResponse("opened although it was ordered to close"))

    @property
    def _busy(self) -> bool:
        return self._order is not None and not self._order.done()

    def _require_permission(self) -> None:
        if reason := self._interlock():
            raise Interlocked(f"the contactor stays open: {reason}")

    def _start_opening(self) -> asyncio.Task[HalError | None]:
        if self._order is not None and not self._order.done():
            if self._opening:
                return self._order
            self._order.cancel()
        self.wanted_closed = False
        self._opening = True
        self._order = asyncio.create_task(self._order_open())
        return self._order

    async def _order_open(self) -> HalError | None:
        error = await self._attempt(lambda: self._contactor().open_contacts())
        if error is None:
            self._note(False)
            return None
        closed = await self._feedback()
        self._note(closed)
        if closed is False:
            return None  # the feedback decides, whatever the driver complains of
        self._on_fault(VendorCode.CONTACTOR_WELDED if closed else VendorCode.CONTACTOR_LOST, error)
        return error

    async def _attempt(self, order: Callable[[], Awaitable[None]]) -> HalError | None:
        try:
            await within(self._timeout_s, "contactor", order())
        except HalError as error:
            return error
        return None

    async def _feedback(self) -> bool | None:
        try:
            return await within(self._timeout_s, "contactor", self._contactor().is_closed())
        except HalError:
            return None  # the order's own error tells why

    def _note(self, closed: bool | None) -> None:
        news = closed is not None and closed != self.closed
        self.closed = closed
        if news and closed is not None:
            self._on_change(closed)
