"""What can be wrong with an OCPP call, one class per error code of OCPP-J.

The classes are named as OCPP 2.x spells its codes (2.0.1 Part 4 §4.3). 1.6 spells some differently, which
`agent.ocpp.versions` knows. What a faulty CALL is answered with (1.6 Part J §4.2.3 table 7):

================================================== ============================= =============================
fault                                              code                          spelled in 1.6
================================================== ============================= =============================
action that this version does not have             NotImplemented
action switched off, or never sent to a station    NotSupported
not JSON, but the message id is readable           FormatViolation               FormationViolation
payload not an object, or with an unknown property FormatViolation               FormationViolation
wrong number of elements, action not a string,     RpcFrameworkError             FormationViolation
message id empty or too long
message id missing or unreadable                   RpcFrameworkError, to id "-1" (logged, not answered)
message type other than 2, 3, 4                    MessageTypeNotSupported       (logged, not answered)
required property missing, array too short or long OccurrenceConstraintViolation OccurenceConstraintViolation
value of the wrong JSON type, null among them      TypeConstraintViolation
value not in its enumeration, too long, out of     PropertyConstraintViolation
range, not a multiple of 0.1, not a date-time
message id of a call that is still being handled,  GenericError
too many calls being handled
the handler failed                                 InternalError
================================================== ============================= =============================

ProtocolError and SecurityError are there for handlers and for what a CSMS answers.
"""

from __future__ import annotations

from typing import ClassVar

DESCRIPTION_LENGTH = 255
"""Longest errorDescription, in characters (2.0.1 Part 4 table 7; 1.6 sets no bound)."""


class CallError(Exception):
    """A call was refused: by a handler of ours, which raises it, or by the CSMS.

    Args:
        description: what is wrong, in words; cut to 255 characters. It names properties and never repeats
            their values, which may be secret.
        details: a JSON object that says it to programs, e.g. ``{"property": "key"}``.
    """

    code: ClassVar[str] = "GenericError"

    def __init__(self, description: str = "", details: dict[str, object] | None = None) -> None:
        self.description = description[:DESCRIPTION_LENGTH]
        self.details = details or {}
        super().__init__(self.description)

    def __str__(self) -> str:
        return f"{self.code}: {self.description}" if self.description else self.code


class FormatViolation(CallError):
    """The payload is syntactically incorrect."""

    code = "FormatViolation"


class GenericError(CallError):
    """None of the other codes says it."""

    code = "GenericError"


class InternalError(CallError):
    """The receiver failed to process a request that may well be correct."""

    code = "InternalError"


class MessageTypeNotSupported(CallError):
    """The frame's message type number is unknown (2.x only)."""

    code = "MessageTypeNotSupported"


class ActionNotImplemented(CallError):
    """The action is unknown; the code is "NotImplemented", which in Python names something else."""

    code = "NotImplemented"


class NotSupported(CallError):
    """The action is known, but this station does not offer it."""

    code = "NotSupported"


class OccurrenceConstraintViolation(CallError):
    """Something is there too seldom or too often."""

    code = "OccurrenceConstraintViolation"


class PropertyConstraintViolation(CallError):
    """A value of the right type is not one of those allowed."""

    code = "PropertyConstraintViolation"


class ProtocolError(CallError):
    """The payload is not what the action asks for."""

    code = "ProtocolError"


class RpcFrameworkError(CallError):
    """The frame around the payload is wrong."""

    code = "RpcFrameworkError"


class SecurityError(CallError):
    """Security forbids to process the request."""

    code = "SecurityError"


class TypeConstraintViolation(CallError):
    """A value has the wrong JSON type."""

    code = "TypeConstraintViolation"


ERROR_CLASSES: dict[str, type[CallError]] = {
    error.code: error
    for error in (
        FormatViolation,
        GenericError,
        InternalError,
        MessageTypeNotSupported,
        ActionNotImplemented,
        NotSupported,
        OccurrenceConstraintViolation,
        PropertyConstraintViolation,
        ProtocolError,
        RpcFrameworkError,
        SecurityError,
        TypeConstraintViolation,
    )
}
"""Every error class by its 2.x code."""


class RpcUsageError(Exception):
    """The program, not the CSMS, broke a rule of the session."""


class CallPending(RpcUsageError):
    """A call of ours still waits for its answer (1.6 Part J §4.1.1: one at a time)."""


class NoSuchCall(RpcUsageError):
    """No call of the CSMS with this message id is open: it was answered, or the connection is closed."""


class InvalidPayload(RpcUsageError):
    """What we were about to send breaks the schema of its message; nothing was sent."""
