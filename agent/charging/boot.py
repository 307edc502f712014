"""Registration with the CSMS and the heartbeat (1.6 §4.2, §4.6; OCPP 2.0.1 B01..B03, G02)."""

from __future__ import annotations

from agent.charging.core import Core
from agent.charging.effects import SaveRegistration
from agent.charging.reports import BootRequest, HeartbeatRequest
from agent.charging.types import RegistrationStatus

# A CSMS may not park the station for longer, whatever interval it names.
LONGEST_WAIT_S = 86_400.0


class Registration:
    """Whether the CSMS has accepted this station since it booted, and whether it can hear it now."""

    __slots__ = (
        "_attempts",
        "_beat_s",
        "_boot_at_s",
        "_boot_sent",
        "_core",
        "_heard_s",
        "ever_accepted",
        "link_up",
        "status",
    )

    def __init__(self, core: Core, *, ever_accepted: bool) -> None:
        self._core = core
        self.ever_accepted = ever_accepted
        self.status: RegistrationStatus | None = None
        self.link_up = False
        self._attempts = 0
        self._boot_at_s: float | None = None
        self._boot_sent = False
        self._heard_s = core.now.mono_s
        self._beat_s = core.now.mono_s  # when the CSMS was last asked for the time

    @property
    def accepted(self) -> bool:
        return self.status is RegistrationStatus.ACCEPTED

    @property
    def may_charge(self) -> bool:
        """Nobody charges at a station that its CSMS has never known (1.6 §4.2.1)."""
        return self.accepted or self.ever_accepted or self._core.policy.tx_before_accepted

    @property
    def again_in_s(self) -> float | None:
        """Until the station asks to be registered again; None where it need not, or is asking."""
        if self.accepted or self._boot_at_s is None:
            return None
        return max(0.0, self._boot_at_s - self._core.now.mono_s)

    def linked(self) -> bool:
        """True: registered before, nothing to be said again (OCPP-J 1.6 §5.4)."""
        self.link_up = True
        self._boot_sent = False
        self._heard_s = self._core.now.mono_s
        if self.accepted:
            self._core.online = True
            return True
        if self._boot_at_s is None or self.status is None or self._core.due(self._boot_at_s):
            self._send()
        return False

    def unlinked(self) -> None:
        self.link_up = False
        self._core.online = False

    def csms_changed(self) -> None:
        """Another CSMS, which knows nothing of this station. A link that is still up leads to the last one."""
        self.unlinked()
        self.status = None
        self.ever_accepted = False
        self._attempts = 0
        self._boot_at_s = None
        self._boot_sent = False

    def answered(self, status: RegistrationStatus, interval_s: int) -> bool:
        """True: the station has just been accepted."""
        if not self.link_up:
            return False  # the last CSMS's answer, or one that came too late
        newly = status is RegistrationStatus.ACCEPTED
        self.status = status
        self._boot_sent = False
        self._attempts = 0
        self._boot_at_s = None
        if newly:
            self._core.online = True
            self._beat_s = self._core.now.mono_s
            self.exchanged()
            if interval_s > 0:
                self._core.policy.heartbeat_interval_s = interval_s
            if not self.ever_accepted:
                self.ever_accepted = True
                self._core.emit(SaveRegistration())
        else:
            self._core.online = False
            wait_s = float(interval_s) if interval_s > 0 else self._back_off_s()
            self._boot_at_s = self._core.after(min(wait_s, LONGEST_WAIT_S))
        return newly

    def failed(self) -> None:
        """No usable answer: again by the retry bounds, not by the heartbeat's interval."""
        self._boot_sent = False
        self._boot_at_s = self._core.after(self._back_off_s())

    def trigger(self) -> bool:
        """A CSMS may ask for the BootNotification only until it has accepted it (1.6 errata 3.35, 3.40)."""
        if self.accepted:
            return False
        self._send(triggered=True)
        return True

    def exchanged(self) -> None:
        """Something was sent: no heartbeat is due for another interval."""
        self._heard_s = self._core.now.mono_s

    def beat(self, *, triggered: bool = False) -> None:
        self._beat_s = self._core.now.mono_s
        self.exchanged()
        self._core.emit(HeartbeatRequest(triggered))

    def _back_off_s(self) -> float:
        policy = self._core.policy
        factor = 1 << min(self._attempts, policy.back_off_repeat_times)
        self._attempts += 1
        wait_s = policy.back_off_minimum_s * factor + policy.back_off_random_range_s * self._core.jitter()
        return min(max(1.0, wait_s), LONGEST_WAIT_S)

    def _send(self, *, triggered: bool = False) -> None:
        self._boot_sent = True
        self._boot_at_s = None
        self._core.emit(BootRequest(triggered))

    def next_deadline(self) -> float | None:
        if not self.link_up:
            return None
        if self.accepted:
            return self._heartbeat_at_s()
        return None if self._boot_sent else self._boot_at_s

    def tick(self) -> None:
        if not self.link_up:
            return
        if self.accepted:
            if self._core.due(self._heartbeat_at_s()):
                self.beat()
        elif not self._boot_sent and self._core.due(self._boot_at_s):
            self._send()

    def _heartbeat_at_s(self) -> float:
        interval_s = self._core.policy.heartbeat_interval_s
        # One a day whatever else is said, and even when switched off, for the clock's sake (1.6 §4.6).
        daily_s = self._beat_s + LONGEST_WAIT_S
        return min(self._heard_s + interval_s, daily_s) if interval_s > 0 else daily_s
