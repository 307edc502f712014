"""An energy register that integrates power over time, and the file in which registers outlive the process."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path

_log = logging.getLogger("hal.mock")


class EnergyRegister:
    """Energy that grows with power and time. Nothing ticks: the value is computed when it is asked for."""

    __slots__ = ("_at_s", "_monotonic", "_power_w", "_wh")

    def __init__(self, monotonic: Callable[[], float], energy_wh: float = 0.0) -> None:
        self._monotonic = monotonic
        self._wh = energy_wh
        self._power_w = 0.0
        self._at_s = monotonic()

    @property
    def energy_wh(self) -> float:
        """The register now."""
        return self._wh + self._power_w * (self._monotonic() - self._at_s) / 3600.0

    @energy_wh.setter
    def energy_wh(self, energy_wh: float) -> None:
        self._wh, self._at_s = energy_wh, self._monotonic()

    @property
    def power_w(self) -> float:
        """What flows now."""
        return self._power_w

    @power_w.setter
    def power_w(self, power_w: float) -> None:
        self.energy_wh = self.energy_wh  # settle what has flowed at the old power
        self._power_w = power_w


class RegisterFile:
    """The registers of all EVSEs in one small text file, a line for each: `<evse id> <energy Wh>`.

    It is rewritten in place, with lines of a fixed width and one write: the same page of flash each time, and never
    half a file, because the kernel finishes a write that a killed process has begun.
    """

    __slots__ = ("_fd", "_path", "_written")

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None
        self._written = b""

    def open(self) -> dict[int, float]:
        """Open or create it; what it holds. What cannot be read is taken for missing. Raises OSError.

        On a disk that has become read-only the registers are read, and `write` fails.
        """
        try:
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            if error.errno != errno.EROFS:
                raise
            self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        self._written = os.read(self._fd, 65536)
        try:
            lines = (line.split() for line in self._written.decode("ascii").splitlines())
            return {int(evse_id): float(energy_wh) for evse_id, energy_wh in lines}
        except ValueError:
            _log.warning("%s is damaged; the registers start at 0", self._path)
            os.ftruncate(self._fd, 0)
            return {}

    def write(self, energies_wh: Mapping[int, float]) -> None:
        """Keep these; nothing is written when nothing has changed. Raises OSError."""
        text = "".join(f"{evse_id:4d} {wh:18.3f}\n" for evse_id, wh in sorted(energies_wh.items())).encode("ascii")
        if self._fd is None or text == self._written:
            return
        os.pwrite(self._fd, text, 0)
        self._written = text

    def close(self) -> None:
        """Let go of the file."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
