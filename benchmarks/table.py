"""What was measured, as a table."""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """One line. ok None: nothing was promised about it."""

    what: str
    floor: str
    peer: str
    agent: str
    ratio: str
    budget: str
    ok: bool | None


HEADINGS = ("what", "floor", "peer", "agent", "ratio", "budget", "")


def number(value: float, unit: str = "") -> str:
    """Three significant digits."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:.{digits}f} {unit}".rstrip()


def ratio_row(
    what: str, unit: str, floor: float, peer: float | None, agent: float, budget: float, *, at_least: bool = False
) -> Row:
    """The agent's value over the floor's, against what it may be at most, or must be at least."""
    ratio = agent / floor
    ok = ratio >= budget if at_least else ratio <= budget
    shown_peer = "" if peer is None else number(peer, unit)
    sign = ">=" if at_least else "<="
    return Row(
        what, number(floor, unit), shown_peer, number(agent, unit), f"{ratio:.2f}", f"{sign} {budget:g} x floor", ok
    )


def limit_row(what: str, unit: str, agent: float, limit: float, peers: tuple[str, str] = ("", "")) -> Row:
    """The agent's value against an upper limit."""
    return Row(what, *peers, number(agent, unit), "", f"<= {limit:g} {unit}", agent <= limit)


def fact_row(what: str, unit: str, agent: float) -> Row:
    """A value that nothing was promised about."""
    return Row(what, "", "", number(agent, unit), "", "", None)


def text(rows: list[Row]) -> str:
    """The table, for a terminal."""
    verdicts = {True: "ok", False: "MISSED", None: ""}
    lines = [HEADINGS, *((*row[:-1], verdicts[row.ok]) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column in (0, 5, 6) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
