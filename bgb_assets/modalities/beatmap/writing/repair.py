"""Repair: a map in, the same map out with the notes turned that no hand could cut.

In the version it came in, nothing else changes: files are copied, and in those of difficulties only directions are
other ones. In another version it is converted as well.

Belongs here: mending every difficulty of a delivered map, and the report. Does not belong here: choosing directions
(`parity`), counting violations (`swings`), changing a file (`turning`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from bgb_assets.modalities.beatmap.formats.difficulty import Difficulty, Unusable
from bgb_assets.modalities.beatmap.formats.folder import MapFolder, open_folder
from bgb_assets.modalities.beatmap.formats.objects import Columns, Objects
from bgb_assets.modalities.beatmap.formats.opening import opened_map
from bgb_assets.modalities.beatmap.formats.reading import read_json
from bgb_assets.modalities.beatmap.formats.song import read_song
from bgb_assets.modalities.beatmap.formats.tempo import TempoMap
from bgb_assets.modalities.beatmap.measures.parity import repair_parity
from bgb_assets.modalities.beatmap.measures.swings import count_swings
from bgb_assets.modalities.beatmap.writing.convert import (
    Converted,
    known_format,
    named_in_errors,
    refuse_used,
    rendered_or_refused,
    unreadable_rows,
    write_map,
)
from bgb_assets.modalities.beatmap.writing.export import Format, RenderedMap
from bgb_assets.modalities.beatmap.writing.source_map import read_source_map
from bgb_assets.modalities.beatmap.writing.turning import turned_document


@dataclass(frozen=True)
class Mended:
    """One difficulty that was looked at.

    Attributes:
        characteristic: `Standard` and the like.
        difficulty: Its name.
        objects: What they are now.
        swings: Swings of both hands before.
        before: Parity violations before.
        after: And after.
        turned: Notes that point another way now.
    """

    characteristic: str
    difficulty: str
    objects: dict[str, Columns]
    swings: int
    before: int
    after: int
    turned: int

    def as_json(self) -> dict[str, Any]:
        """Return its row of the report."""
        return {
            "characteristic": self.characteristic,
            "difficulty": self.difficulty,
            "swings": self.swings,
            "violations_before": self.before,
            "violations_after": self.after,
            "notes_turned": self.turned,
        }

    def line(self) -> str:
        """Return its row for a terminal."""
        return (
            f"  {self.characteristic} {self.difficulty}: {self.turned} notes turned, "
            f"{self.before} -> {self.after} parity violations in {self.swings} swings"
        )


@dataclass(frozen=True)
class RepairedMap:
    """What was written.

    Attributes:
        out: The zip or folder.
        mended: One for each readable difficulty.
        unreadable: Difficulties that cannot be read; in the version they came in they are copied as they are.
        warnings: Sentences for a person.
        converted: What was written where another version was asked for.
    """

    out: Path
    mended: tuple[Mended, ...]
    unreadable: tuple[Unusable, ...]
    warnings: tuple[str, ...]
    converted: Converted | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the report for a script."""
        report: dict[str, Any] = {
            "out": str(self.out),
            "format": None,
            "lost": {},
            "left": {},
            "unreadable": unreadable_rows(self.unreadable),
            "warnings": list(self.warnings),
        }
        report |= {} if self.converted is None else self.converted.as_json()
        return report | {"difficulties": [one.as_json() for one in self.mended]}

    def lines(self) -> list[str]:
        """Return the report for a terminal."""
        rows = [one.line() for one in self.mended]
        if self.converted is not None:
            return [*self.converted.lines(), *rows]
        warnings = [f"warning: {warning}" for warning in self.warnings]
        return [f"{self.out}: {len(rows)} difficulties, in the version they came in", *rows, *warnings]


def repair_map(path: Path, out: Path, format_: str | None = None, *, lossy: bool = False) -> RepairedMap:
    """Write a map again without parity violations: times, cells, colours and numbers of notes stay.

    Args:
        path: Its folder or zip.
        out: A zip where the name ends so, else a folder that is empty or not there yet.
        format_: `v2`, `v3` or `v4`; None keeps all files as they are, but for the directions.
        lossy: As for `convert.convert_map`; without `format_` nothing can be lost.

    Raises:
        UsageError: No such map or format, or `out` is in use.
        BadInput: The map cannot be used, or something would be lost.
    """
    wanted = None if format_ is None else known_format(format_)
    refuse_used(out, path)
    with opened_map(path) as directory:
        if wanted is None:
            return _repaired_in_place(path, directory, out)
        return _repaired_as(path, directory, out, wanted, lossy=lossy)


def _repaired_in_place(path: Path, directory: Path, out: Path) -> RepairedMap:
    with named_in_errors(path):
        song, folder = read_song(directory), open_folder(directory)
    mended, turned_files = [], {}
    for item in song.readable:
        one = _mended(item.info.characteristic, item.info.difficulty, item.parsed.objects, item.tempo)
        mended.append(one)
        found = folder.find(item.info.file)
        if one.turned and found is not None:
            turned_files[found] = _turned_file(folder, found, item, one.objects)
    write_map(RenderedMap(_files(folder, turned_files), {}), out)
    unreadable = tuple(item for item in song.difficulties if isinstance(item, Unusable))
    return RepairedMap(out, tuple(mended), unreadable, song.warnings)


def _repaired_as(path: Path, directory: Path, out: Path, format_: Format, *, lossy: bool) -> RepairedMap:
    with named_in_errors(path):
        source = read_source_map(directory)
    items = source.song.difficulties
    mended = tuple(
        _mended(item.characteristic, item.difficulty, item.objects, item.tempo or source.song.tempo) for item in items
    )
    difficulties = tuple(replace(item, objects=one.objects) for item, one in zip(items, mended, strict=True))
    song = replace(source.song, difficulties=difficulties)
    rendered = rendered_or_refused(path, source, song, format_, lossy=lossy)
    write_map(rendered, out)
    converted = Converted(out, format_, song, source, rendered.lost)
    return RepairedMap(out, mended, source.unreadable, source.warnings, converted)


def _mended(characteristic: str, difficulty: str, objects: Objects, tempo: TempoMap) -> Mended:
    notes = objects["notes"]
    times_s = tempo.time(notes["beat"])
    before = count_swings(notes, times_s)
    repaired = repair_parity(objects, times_s)
    after = count_swings(repaired.objects["notes"], times_s)
    counts = (before.swings, before.violations, after.violations, repaired.changed)
    return Mended(characteristic, difficulty, repaired.objects, *counts)


def _turned_file(folder: MapFolder, found: str, item: Difficulty, objects: Objects) -> bytes:
    document = read_json(folder.path(found), found)
    return orjson.dumps(turned_document(document, item.version, item.parsed.objects, objects))


def _files(folder: MapFolder, turned: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files of the map by their names beside Info, which comes first."""
    home = folder.info.rpartition("/")[0] + "/" if "/" in folder.info else ""
    names = sorted((name for name in folder.files if name.startswith(home)), key=lambda name: name != folder.info)
    return {name.removeprefix(home): turned.get(name) or folder.path(name).read_bytes() for name in names}
