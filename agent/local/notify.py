"""What systemd wants to hear (sd_notify): ready, alive, stopping. Elsewhere it does nothing."""

from __future__ import annotations

import os
import socket


def notify(state: str) -> None:
    """Send e.g. "READY=1" to $NOTIFY_SOCKET. Failing to is nobody's business."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as connection:
            connection.connect(f"\0{address[1:]}" if address.startswith("@") else address)
            connection.send(state.encode())
    except OSError:
        return


def watchdog_interval_s() -> float | None:
    """Half of what systemd allows between two signs of life; None: it does not watch."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    pid = os.environ.get("WATCHDOG_PID", str(os.getpid()))
    if not microseconds.isdecimal() or pid != str(os.getpid()):
        return None
    return int(microseconds) / 2_000_000
