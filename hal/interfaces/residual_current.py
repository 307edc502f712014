"""The residual current monitor (RCM, RDC-DD): leakage to earth."""

from abc import abstractmethod

from hal.interfaces.part import Part
from hal.value import Value


class ResidualCurrentReading(Value):
    """tripped: the monitor holds the contactor open. residual_ma: what it measures, mA; None if it only decides."""

    tripped: bool
    residual_ma: float | None = None


class ResidualCurrent(Part):
    """Emits `FaultSignal(evse_id, GROUND_FAILURE, ...)` when it trips and when it is reset."""

    @abstractmethod
    async def read(self) -> ResidualCurrentReading:
        """The monitor's state now. Raises HalError."""

    @abstractmethod
    async def self_test(self) -> None:
        """Have the monitor test itself; only called while the contactor is open.

        The trip that belongs to the test is not reported. Raises `DeviceResponse` when the monitor fails it, or
        another HalError.
        """
