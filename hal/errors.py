"""What can go wrong between the agent and a device.

A driver translates every exception of the libraries below it into one of these, at its own boundary, with
`raise ... from`.
"""


class HalError(Exception):
    """The root of every error that this package raises."""


class DeviceUnavailable(HalError):
    """The device cannot be reached: no such port, the bus is down, the device refuses to talk."""


class DeviceTimeout(HalError):
    """The device was asked and did not answer, or did not do it, in time."""


class DeviceResponse(HalError):
    """The device answered, but with an error, with nonsense, or with a feedback that contradicts the order."""


class Unsupported(HalError):
    """The hardware cannot do this, now or ever: no lock at a fixed cable, an offer below the pilot's range."""


class Interlocked(HalError):
    """The supervisor refuses an order because carrying it out would not be safe; the message says why."""


class BoardConfigError(HalError):
    """The configuration of the hardware is wrong. The message names the key and what would be right.

    The only error that keeps a board from opening: a device that is away may come back, a wrong option stays wrong.
    """
