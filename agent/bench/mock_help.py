"""What `evse-agent mock --help` says of the operations."""

from __future__ import annotations

from hal.drivers.mock.requests import OPERATIONS


def operations() -> str:
    """One line for each operation, with its keys; those in brackets may be left out."""
    lines = (
        f"  {name:15} {' '.join([*takes.required, *(f'[{key}]' for key in takes.optional)])}".rstrip()
        for name, takes in OPERATIONS.items()
    )
    return "\n".join(["operations and their keys:", *lines])
