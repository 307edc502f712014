"""The device model: the one place where the station's configuration and its reported variables live.

A value has up to three layers: the standard's or our default, the factory's value from the configuration
file, and what the CSMS or a technician set, which wins until a factory reset. OCPP versions read and write it
by their own names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum

from agent.charging.characteristics import (
    Mutability,
    Parsed,
    VariableId,
    VariableSpec,
    normalise,
    parse,
)
from agent.charging.value import Value

__all__ = ["DeviceModel", "SetOutcome", "SetStatus", "Source", "VariableId", "VariableSpec"]


class SetStatus(StrEnum):
    """SetVariableStatusEnumType (OCPP 2.0.1 part 2 §3.79)."""

    ACCEPTED = "Accepted"
    REJECTED = "Rejected"
    UNKNOWN_COMPONENT = "UnknownComponent"
    UNKNOWN_VARIABLE = "UnknownVariable"
    NOT_SUPPORTED_ATTRIBUTE_TYPE = "NotSupportedAttributeType"
    REBOOT_REQUIRED = "RebootRequired"


class SetOutcome(Value):
    """What became of a wish to change a variable. `reason` says in words why it was refused."""

    status: SetStatus
    reason: str = ""

    @property
    def accepted(self) -> bool:
        return self.status in (SetStatus.ACCEPTED, SetStatus.REBOOT_REQUIRED)


class Source(StrEnum):
    """Who wants a change.

    The CSMS writes what is not ReadOnly, a technician every setting, the station itself also its states.
    """

    CSMS = "CSMS"
    TECHNICIAN = "technician"
    STATION = "station"


_ACCEPTED = SetOutcome(SetStatus.ACCEPTED)


class DeviceModel:
    """Variables by address. Reading a known variable is one dictionary look-up.

    `revision` grows with every change of a value, or of what is to be persisted. `supported_measurands` are the items
    that measurand lists may hold.
    """

    __slots__ = (
        "_changes",
        "_constraints",
        "_factory",
        "_folded",
        "_observers",
        "_parsed",
        "_providers",
        "_set",
        "_specs",
        "_values",
        "revision",
        "supported_measurands",
    )

    def __init__(self, specs: Iterable[VariableSpec], supported_measurands: frozenset[str]) -> None:
        self._specs = {spec.id: spec for spec in specs}
        self._factory = {
            variable: spec.default
            for variable, spec in self._specs.items()
            if spec.mutability is not Mutability.WRITE_ONLY
        }
        self._values = dict(self._factory)
        self._parsed: dict[VariableId, Parsed] = {}
        self._folded: dict[VariableId, VariableId] = {}
        self._set: set[VariableId] = set()
        self._changes: list[tuple[VariableId, str]] = []
        self._providers: dict[VariableId, Callable[[], str]] = {}
        self._constraints: dict[VariableId, list[Callable[[str], str | None]]] = {}
        self._observers: dict[VariableId, list[Callable[[VariableId], None]]] = {}
        self.revision = 0
        self.supported_measurands = supported_measurands

    # Reading

    def items(self) -> Iterable[VariableSpec]:
        """Every variable, in the order of its declaration."""
        return self._specs.values()

    def spec(self, variable: VariableId) -> VariableSpec:
        """The characteristics of a known variable. Raises KeyError for another."""
        return self._specs[variable]

    def find(self, variable: VariableId) -> VariableId | None:
        """The standard spelling of an address whose names came from outside, or None.

        A variable without an instance stands for its instance `Default` where only that exists.
        """
        if variable in self._specs:
            return variable
        if not self._folded:
            self._folded = {known.folded(): known for known in self._specs}
        folded = variable.folded()
        if folded.variable_instance is None and folded not in self._folded:
            folded = folded._replace(variable_instance="default")
        return self._folded.get(folded)

    def get(self, variable: VariableId) -> str:
        """The Actual value. Raises KeyError for an unknown or a WriteOnly variable."""
        provider = self._providers.get(variable)
        return provider() if provider else self._values[variable]

    def string(self, variable: VariableId) -> str:
        return self.get(variable)

    def integer(self, variable: VariableId) -> int:
        value = self._typed(variable)
        assert type(value) is int, variable
        return value

    def decimal(self, variable: VariableId) -> float:
        value = self._typed(variable)
        assert type(value) is float, variable
        return value

    def boolean(self, variable: VariableId) -> bool:
        value = self._typed(variable)
        assert type(value) is bool, variable
        return value

    def member_list(self, variable: VariableId) -> tuple[str, ...]:
        """The items of a MemberList or a SequenceList, in order."""
        value = self._typed(variable)
        assert type(value) is tuple, variable
        return value

    def _typed(self, variable: VariableId) -> Parsed:
        value = self._parsed.get(variable)
        if value is None:
            value = parse(self._specs[variable], self.get(variable))
            if variable not in self._providers:
                self._parsed[variable] = value
        return value

    # Changing

    def check(self, variable: VariableId, value: str, source: Source = Source.CSMS) -> SetOutcome:
        """What `set` would answer, without changing anything."""
        outcome, _, _ = self._judge(variable, value, source)
        return outcome

    def set(self, variable: VariableId, value: str, source: Source = Source.CSMS) -> SetOutcome:
        """Changes one variable's Actual value, or says why not."""
        return self.set_all(((variable, value),), source)

    def set_all(self, assignments: Sequence[tuple[VariableId, str]], source: Source = Source.CSMS) -> SetOutcome:
        """Changes several variables, all or none. The first refusal is the answer."""
        accepted: list[tuple[VariableId, str]] = []
        answer = _ACCEPTED
        for variable, value in assignments:
            outcome, known, normalised = self._judge(variable, value, source)
            if not outcome.accepted:
                return outcome
            if outcome.status is SetStatus.REBOOT_REQUIRED:
                answer = outcome
            accepted.append((known, normalised))
        self._announce([known for known, normalised in accepted if self._apply(known, normalised)])
        return answer

    def set_factory(self, variable: VariableId, value: str) -> SetOutcome:
        """Puts the factory's value, read-only settings included, under what anybody set."""
        outcome, known, normalised = self._judge(variable, value, Source.TECHNICIAN)
        if outcome.accepted and self._specs[known].mutability is Mutability.WRITE_ONLY:
            return SetOutcome(SetStatus.REJECTED, "is a secret; set it with evse-provision")
        if outcome.accepted:
            self._factory[known] = normalised
            if known not in self._set and self._store(known, normalised):
                self._announce([known])
        return outcome

    def restore(self, variable: VariableId, value: str) -> SetOutcome:
        """Puts back a persisted change, which is no new change. One that no longer fits is refused."""
        outcome, known, normalised = self._judge(variable, value, Source.TECHNICIAN)
        if outcome.accepted:
            self._set.add(known)
            if self._store(known, normalised):
                self._announce([known])
        return outcome

    def drain_changes(self) -> list[tuple[VariableId, str]]:
        """The settings changed since the last call, oldest first: to persist or, if WriteOnly, to apply."""
        changes, self._changes = self._changes, []
        return changes

    def support_measurands(self, items: frozenset[str]) -> list[VariableId]:
        """Narrows measurand lists to what the meters give. Returns the variables whose value asks for more."""
        self.supported_measurands = items
        return [
            variable
            for variable, spec in self._specs.items()
            if spec.measurands and not items.issuperset(self.member_list(variable))
        ]

    # Ties to the outside

    def provide(self, variable: VariableId, provider: Callable[[], str]) -> None:
        """Lets a ReadOnly state be computed when it is read."""
        assert self._specs[variable].mutability is Mutability.READ_ONLY, variable
        self._providers[variable] = provider

    def constrain(self, variable: VariableId, check: Callable[[str], str | None]) -> None:
        """Adds a check on new values, which returns why a (normalised) value cannot be taken, or None."""
        assert variable in self._specs, variable
        self._constraints.setdefault(variable, []).append(check)

    def on_change(self, variable: VariableId, observer: Callable[[VariableId], None]) -> None:
        """Calls the observer after each change of the value, or each write of a WriteOnly variable."""
        assert variable in self._specs, variable
        self._observers.setdefault(variable, []).append(observer)

    def _judge(self, variable: VariableId, value: str, source: Source) -> tuple[SetOutcome, VariableId, str]:
        known = self.find(variable)
        if known is None:
            return SetOutcome(self._why_unknown(variable), f"{variable} is not known"), variable, value
        spec = self._specs[known]
        reason: str | None = None
        if source is Source.CSMS and spec.mutability is Mutability.READ_ONLY:
            reason = "is read-only"
        elif source is not Source.STATION and not spec.persistent:
            reason = "is a state that the station reports"
        else:
            try:
                value = normalise(spec, value, self.supported_measurands)
            except ValueError as error:
                reason = str(error)
        if reason is None and spec.constant and value != self._values[known]:
            reason = f"is always {self._values[known]!r} on this station"
        if reason is None:
            reasons = (check(value) for check in self._constraints.get(known, ()))
            reason = next((found for found in reasons if found), None)
        if reason:
            return SetOutcome(SetStatus.REJECTED, reason), known, value
        if spec.reboot_required and value != self._values.get(known):
            return SetOutcome(SetStatus.REBOOT_REQUIRED), known, value
        return _ACCEPTED, known, value

    def _why_unknown(self, variable: VariableId) -> SetStatus:
        component = variable.folded()._replace(variable="", variable_instance=None)
        components = (known._replace(variable="", variable_instance=None) for known in self._folded)
        return SetStatus.UNKNOWN_VARIABLE if component in components else SetStatus.UNKNOWN_COMPONENT

    def _apply(self, variable: VariableId, value: str) -> bool:
        """Stores a value that was set, and notes it as a change to persist. True if observers are to know."""
        secret = self._specs[variable].mutability is Mutability.WRITE_ONLY
        # the first set counts even if it equals the factory's value: it must outlive a new factory value
        if self._specs[variable].persistent and (
            secret or variable not in self._set or value != self._values[variable]
        ):
            self._set.add(variable)
            self._changes.append((variable, value))
            self.revision += 1
        return secret or self._store(variable, value)

    def _store(self, variable: VariableId, value: str) -> bool:
        if value == self._values.get(variable, value):
            return False
        self._values[variable] = value
        self._parsed.pop(variable, None)
        self.revision += 1
        return True

    def _announce(self, changed: Iterable[VariableId]) -> None:
        """Tells the observers, once everything that changes together has changed."""
        for variable in changed:
            for observer in self._observers.get(variable, ()):
                observer(variable)
