"""A reader of cards, or of whatever else identifies a driver."""

from __future__ import annotations

from hal.interfaces.part import Part


class IdTokenReader(Part):
    """Emits a `TokenSignal` for each token presented: once per presentation, not once per scan.

    UIDs are upper-case hexadecimal, the most significant byte as the card sends it first, without check bytes.
    A reader that stops working emits `FaultSignal(0, READER_FAILURE, True, "ReaderLost")`, and the same with False
    when it is back.
    """
