"""`bgb inspect beatmap`: what a map is, or why it cannot be read.

Belongs here: printing. Does not belong here: collecting what is printed (`modalities.beatmap.description`).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from bgb_assets.commands.context import print_json
from bgb_assets.commands.tables import print_table

_COLUMNS = ("difficulty", "notes", "bombs", "walls", "arcs", "chains", "seconds", "nps", "njs", "status")


def inspect(map_path: Path, *, as_json: bool) -> None:
    """Print what a map is.

    Raises:
        UsageError: The path does not exist.
        BadInput: It is no map, or one that cannot be used; the message says why.
    """
    from bgb_assets.modalities.beatmap.formats.description import describe, lines
    from bgb_assets.modalities.beatmap.formats.opening import opened_map

    with opened_map(map_path) as directory:
        described = describe(directory)
    if as_json:
        print_json({"map": str(map_path), **described})
        return
    for line in lines(described):
        typer.echo(line)
    print_table(_COLUMNS, [_row(one) for one in described["difficulties"]])
    for warning in described["warnings"]:
        typer.echo(f"warning: {warning}")


def _row(one: Mapping[str, Any]) -> list[str]:
    counts = one.get("counts", {})
    marks = [*one.get("flags", ()), *(f"requires {name}" for name in one["requirements"])]
    return [
        f"{one['characteristic']} {one['difficulty']}",
        *(str(counts.get(kind, "-")) for kind in _COLUMNS[1:6]),
        _number(one["length_s"], 1),
        _number(one["nps"], 3),
        _number(one["njs"], None),
        # Why it cannot be used is a warning below the table.
        "; ".join([one["status"], *marks]),
    ]


def _number(value: float | None, digits: int | None) -> str:
    if value is None:
        return "-"
    return f"{value:g}" if digits is None else f"{value:.{digits}f}"
