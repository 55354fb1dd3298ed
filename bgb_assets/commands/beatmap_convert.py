"""`bgb convert beatmap` and `bgb repair beatmap`: a map in, a map out, and what did not come along.

Belongs here: printing. Does not belong here: the work (`modalities.beatmap.convert`, `modalities.beatmap.repair`).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from bgb_assets.commands.context import print_json


def convert(map_path: Path, to: str, out: Path, *, lossy: bool, as_json: bool) -> None:
    """Write a map in another version of the format; raises as `modalities.beatmap.convert.convert_map`."""
    from bgb_assets.modalities.beatmap.writing.convert import convert_map

    written = convert_map(map_path, to, out, lossy=lossy)
    _print(map_path, written.as_json(), written.lines(), as_json=as_json)


def repair(map_path: Path, out: Path, to: str | None, *, lossy: bool, as_json: bool) -> None:
    """Write a map without parity violations; raises as `modalities.beatmap.repair.repair_map`."""
    from bgb_assets.modalities.beatmap.writing.repair import repair_map

    written = repair_map(map_path, out, to, lossy=lossy)
    _print(map_path, written.as_json(), written.lines(), as_json=as_json)


def _print(map_path: Path, value: Mapping[str, Any], lines: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        print_json({"map": str(map_path), **value})
        return
    for line in lines:
        typer.echo(line)
