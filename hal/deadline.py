"""The boundary to a driver: whatever happens behind it ends in time, and as a HalError if at all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from hal.errors import DeviceResponse, DeviceTimeout, HalError

T = TypeVar("T")


async def within(timeout_s: float, what: str, call: Awaitable[T]) -> T:
    """The call's result. Raises HalError: the driver's own, `DeviceTimeout` when it takes too long."""
    try:
        async with asyncio.timeout(timeout_s):
            return await call
    except HalError:
        raise
    except TimeoutError as error:
        raise DeviceTimeout(f"{what}: no answer within {timeout_s:g} s") from error
    except (
        Exception
    ) as error:  # drivers come from elsewhere; a bug in one must end as a fault, not as a closed contactor
        raise DeviceResponse(f"{what}: {type(error).__name__}: {error}") from error
