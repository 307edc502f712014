"""How the versions of OCPP-J differ in their frames: names, spelling of error codes, answers to broken ones."""

from agent.charging.value import Value
from agent.ocpp.errors import ERROR_CLASSES, CallError, GenericError


class OcppVersion(Value):
    """One version of OCPP-J."""

    name: str
    """As in configuration and user interfaces: "1.6"."""

    subprotocol: str
    """WebSocket subprotocol, as registered with IANA."""

    package: str
    """Name of the package with this version's validators."""

    spelling: dict[str, str]
    """2.x error code to this version's code, where they differ."""

    answers_unreadable: bool
    """Whether frames of unknown type or without usable message id are answered (2.0.1 Part 4 §4.2.3, §4.4)."""

    def spell(self, error: CallError) -> str:
        """The code of `error` as this version writes it."""
        return self.spelling.get(error.code, error.code)

    def understand(self, code: str, description: str, details: dict[str, object]) -> CallError:
        """The error that a CSMS means by `code`, spelled as here or as in 2.x; GenericError if unknown."""
        known = ERROR_CLASSES.get(code)
        if known is None:
            neutral = next((ours for ours, theirs in self.spelling.items() if theirs == code), "")
            known = ERROR_CLASSES.get(neutral)
        if known is None:
            return GenericError(f"{code[:50]}: {description}", details)
        return known(description, details)


V16 = OcppVersion(
    name="1.6",
    subprotocol="ocpp1.6",
    package="v16",
    # The odd ones are official: OCPP-J 1.6 errata 5.1 and 5.2 keep them for compatibility.
    spelling={
        "FormatViolation": "FormationViolation",
        "OccurrenceConstraintViolation": "OccurenceConstraintViolation",
        "RpcFrameworkError": "FormationViolation",
        "MessageTypeNotSupported": "GenericError",
    },
    answers_unreadable=False,
)
