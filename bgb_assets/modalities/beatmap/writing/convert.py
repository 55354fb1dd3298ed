"""Conversion: a map in, the same map in another version of the format out, and an account of what did not come along.

Belongs here: from a delivered map to a written one, and the report. Does not belong here: reading one (`source_map`),
writing files (`export`).
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bgb_assets.modalities.beatmap.formats.difficulty import Unusable
from bgb_assets.modalities.beatmap.formats.objects import PLAYED_KINDS, count
from bgb_assets.modalities.beatmap.formats.opening import opened_map
from bgb_assets.modalities.beatmap.writing.export import (
    FORMATS,
    Format,
    RenderedMap,
    render_map,
    write_folder,
    write_zip,
)
from bgb_assets.modalities.beatmap.writing.song_to_write import DifficultyToWrite, SongToWrite
from bgb_assets.modalities.beatmap.writing.source_map import SourceMap, read_source_map
from bgb_assets.runtime.errors import BadInput, UsageError


@dataclass(frozen=True)
class Converted:
    """What was written.

    Attributes:
        out: The zip or folder.
        format: Its version.
        song: What was written.
        source: What was read.
        lost: What is played and is not in the new map -> how many; empty unless losses were allowed.
    """

    out: Path
    format: Format
    song: SongToWrite
    source: SourceMap
    lost: Mapping[str, int]

    def as_json(self) -> dict[str, Any]:
        """Return the report for a script."""
        return {
            "out": str(self.out),
            "format": self.format,
            "difficulties": [
                {"version": version, **_named(item), "counts": _counts(item)}
                for version, item in zip(self.source.versions, self.song.difficulties, strict=True)
            ],
            "audio": None if self.song.audio is None else self.song.audio.file,
            "lost": dict(self.lost),
            "left": dict(self.source.left),
            "unreadable": unreadable_rows(self.source.unreadable),
            "warnings": list(self.source.warnings),
        }

    def lines(self) -> list[str]:
        """Return the report for a terminal."""
        lines = [f"{self.out}: {len(self.song.difficulties)} difficulties as {self.format}"]
        for version, item in zip(self.source.versions, self.song.difficulties, strict=True):
            counts = ", ".join(f"{number} {kind}" for kind, number in _counts(item).items())
            lines.append(f"  {item.characteristic} {item.difficulty} (was {version}): {counts}")
        if self.song.audio is not None:
            lines.append(f"  audio: {self.song.audio.file}, without tags")
        lines += [f"lost: {number} {what}" for what, number in self.lost.items()]
        lines += [f"left out: {number} {what}" for what, number in self.source.left.items()]
        return lines + [f"warning: {warning}" for warning in self.source.warnings]


def convert_map(path: Path, format_: str, out: Path, *, lossy: bool = False) -> Converted:
    """Write a map in another version of the format; equal arguments give equal bytes.

    Args:
        path: Its folder or zip.
        format_: `v2`, `v3` or `v4`.
        out: A zip where the name ends so, else a folder that is empty or not there yet.
        lossy: Leave out what is played and cannot be written, and count it, instead of refusing.

    Raises:
        UsageError: No such map or format, or `out` is in use.
        BadInput: The map cannot be used, or something would be lost.
    """
    wanted = known_format(format_)
    refuse_used(out, path)
    with opened_map(path) as directory, named_in_errors(path):
        source = read_source_map(directory)
    rendered = rendered_or_refused(path, source, source.song, wanted, lossy=lossy)
    write_map(rendered, out)
    return Converted(out, wanted, source.song, source, rendered.lost)


@contextmanager
def named_in_errors(path: Path) -> Iterator[None]:
    """Let what is wrong with a map say which map it is."""
    try:
        yield
    except BadInput as error:
        raise BadInput(f"{path}: {error.reason}", error.remedy) from None


def known_format(name: str) -> Format:
    """Return a version of the format by its name.

    Raises:
        UsageError: There is none of that name.
    """
    for format_ in FORMATS:
        if format_ == name:
            return format_
    raise UsageError(f"no map format {name!r}; there are {', '.join(FORMATS)}")


def refuse_used(out: Path, source: Path) -> None:
    """Refuse to write where files would get mixed up.

    Raises:
        UsageError: The place is the source's own, a folder with files in it, or one where the other kind is wanted.
    """
    if out.exists() and source.exists() and out.samefile(source):
        raise UsageError(f"{out}: is the map to read; choose another place to write to")
    if out.is_dir() and (is_zip(out) or any(out.iterdir())):
        raise UsageError(f"{out}: is a folder with files in it; choose a new folder or a name ending in .zip")
    if out.is_file() and not is_zip(out):
        raise UsageError(f"{out}: is a file; choose a new folder or a name ending in .zip")


def rendered_or_refused(
    path: Path, source: SourceMap, song: SongToWrite, format_: Format, *, lossy: bool
) -> RenderedMap:
    """Return the files of a map, with all that is lost counted.

    Raises:
        BadInput: Something that is played would be lost, and that is not allowed.
    """
    rendered = render_map(song, format_, lossy=True)
    lost = dict(sorted({**rendered.lost, **source.lost}.items()))
    if lost and not lossy:
        listed = ", ".join(f"{number} {what}" for what, number in lost.items())
        names = "".join(f"; {one.info.characteristic} {one.info.difficulty}: {one.reason}" for one in source.unreadable)
        raise BadInput(
            f"{path}: as {format_} it would lose {listed}{names}",
            "mend the map, choose another format, or allow losses with --lossy",
        )
    return RenderedMap(rendered.files, lost)


def write_map(rendered: RenderedMap, out: Path) -> None:
    """Write a map as a zip or a folder, whichever its name asks for."""
    out.parent.mkdir(parents=True, exist_ok=True)
    if is_zip(out):
        write_zip(rendered, out)
    else:
        write_folder(rendered, out)


def is_zip(out: Path) -> bool:
    """Say whether a name asks for a zip."""
    return out.suffix.lower() == ".zip"


def unreadable_rows(unreadable: Iterable[Unusable]) -> list[dict[str, str]]:
    """Return a report's rows of difficulties that cannot be read."""
    return [
        {
            "characteristic": one.info.characteristic,
            "difficulty": one.info.difficulty,
            "status": one.status,
            "reason": one.reason,
            "remedy": one.remedy,
        }
        for one in unreadable
    ]


def _named(item: DifficultyToWrite) -> dict[str, Any]:
    return {"characteristic": item.characteristic, "difficulty": item.difficulty, "njs": item.njs, "njo": item.njo}


def _counts(item: DifficultyToWrite) -> dict[str, int]:
    return {kind: count(item.objects[kind]) for kind in PLAYED_KINDS if count(item.objects[kind])}
