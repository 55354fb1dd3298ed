"""Repair: a map in, the same map out with the directions turned that no hand could cut.

Belongs here: mending every difficulty of a delivered map, and the report. Does not belong here: choosing directions
(`parity`), counting violations (`swings`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bgb_assets.modalities.beatmap.convert import (
    Converted,
    known_format,
    refuse_used,
    rendered_or_refused,
    write_map,
)
from bgb_assets.modalities.beatmap.export import DifficultyToWrite, SongToWrite
from bgb_assets.modalities.beatmap.opening import opened_map
from bgb_assets.modalities.beatmap.parity import repair_parity
from bgb_assets.modalities.beatmap.source_map import read_source_map
from bgb_assets.modalities.beatmap.swings import count_swings


@dataclass(frozen=True)
class Mended:
    """One difficulty that was looked at.

    Attributes:
        difficulty: What is written of it.
        swings: Swings of both hands before.
        before: Parity violations before.
        after: And after.
        turned: Notes that point another way now.
    """

    difficulty: DifficultyToWrite
    swings: int
    before: int
    after: int
    turned: int

    def as_json(self) -> dict[str, Any]:
        """Return its row of the report."""
        return {
            "characteristic": self.difficulty.characteristic,
            "difficulty": self.difficulty.difficulty,
            "swings": self.swings,
            "violations_before": self.before,
            "violations_after": self.after,
            "notes_turned": self.turned,
        }


@dataclass(frozen=True)
class RepairedMap:
    """What was written.

    Attributes:
        mended: One for each difficulty.
        written: Where, and what did not come along.
    """

    mended: tuple[Mended, ...]
    written: Converted

    def as_json(self) -> dict[str, Any]:
        """Return the report for a script."""
        return {**self.written.as_json(), "difficulties": [one.as_json() for one in self.mended]}

    def lines(self) -> list[str]:
        """Return the report for a terminal."""
        first, *rest = self.written.lines()
        rows = [
            f"  {one.difficulty.characteristic} {one.difficulty.difficulty}: {one.turned} notes turned, "
            f"{one.before} -> {one.after} parity violations in {one.swings} swings"
            for one in self.mended
        ]
        return [first, *rows, *rest[len(rows) :]]


def repair_map(path: Path, out: Path, format_: str | None = None, *, lossy: bool = False) -> RepairedMap:
    """Write a map again without parity violations: times, cells, colours and numbers of notes stay.

    Args:
        path: Its folder or zip.
        out: A zip where the name ends so, else a folder that is empty or not there yet.
        format_: `v2`, `v3` or `v4`; None for the one the map came in, the newest of its files.
        lossy: As for `convert.convert_map`.

    Raises:
        UsageError: No such map or format, or `out` is in use.
        BadInput: The map cannot be used, or something would be lost.
    """
    wanted = None if format_ is None else known_format(format_)
    refuse_used(out, path)
    with opened_map(path) as directory:
        source = read_source_map(directory)
    mended = tuple(_mended(source.song))
    song = replace(source.song, difficulties=tuple(one.difficulty for one in mended))
    chosen = wanted or source.format
    rendered = rendered_or_refused(path, source, song, chosen, lossy=lossy)
    write_map(rendered, out)
    return RepairedMap(mended, Converted(out, chosen, song, source, rendered.lost))


def _mended(song: SongToWrite) -> Iterator[Mended]:
    for item in song.difficulties:
        notes = item.objects["notes"]
        times_s = (item.tempo or song.tempo).time(notes["beat"])
        before = count_swings(notes, times_s)
        repaired = repair_parity(item.objects, times_s)
        after = count_swings(repaired.objects["notes"], times_s)
        difficulty = replace(item, objects=repaired.objects)
        yield Mended(difficulty, before.swings, before.violations, after.violations, repaired.changed)
