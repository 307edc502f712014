"""What the mock answers to a request that makes no sense."""

from __future__ import annotations


class MockError(ValueError):
    """The request cannot be carried out; the message says why and what would be right."""
