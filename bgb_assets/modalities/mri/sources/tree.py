"""The files of a local data set, git-annex trees too, seen without opening an image.

A file of git-annex is a link whose target names its size and SHA-256, or a small text in the image's place; its bytes
may be on another disk. Belongs here: finding files, what names and links say of them, opening one safely. Does not
belong here: which files are one scan (`visits`).
"""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from bgb_assets.modalities.mri.pairing.names import is_nifti
from bgb_assets.modalities.mri.pairing.pairs import safe_path
from bgb_assets.modalities.mri.scans.flags import bad
from bgb_assets.modalities.mri.sources.visits import SourceFile
from bgb_assets.runtime.errors import SourceError
from bgb_assets.storage.digests import signature_of

_UNFINISHED_SUFFIXES = (".part", ".tmp")
_ANNEX_KEY = re.compile(r"annex/objects/(?:.*/)?([A-Z0-9_]+)((?:-[smSC]\d+)*)--([^/\s]+)\s*$")
_POINTER = "/annex/objects/"
_POINTER_BYTES = 512
"""A text that stands for an annexed file is shorter; an image has a header alone of 348 bytes."""


def files_below(root: Path, wanted: Callable[[str], bool]) -> list[SourceFile]:
    """Return the files of a folder that are asked for, in the order of their paths; hidden ones are passed over.

    Links to folders are not followed.

    Args:
        root: The folder; resolved.
        wanted: Says of a path below it whether the file is of interest.

    Raises:
        SourceError: A folder cannot be read.
    """
    try:
        return [_seen(root, path, entry) for path, entry in _walk(root, "") if wanted(path)]
    except OSError as error:
        raise SourceError(f"{root}: cannot be looked through: {error}") from error


def open_below(root: Path, path: str) -> Path:
    """Return where a file of the data set lies.

    Raises:
        BadScan: `unsafe_path`: it lies outside.
        SourceError: It is not there, or not on this disk.
    """
    inside = root / safe_path(path, "the source")
    real = inside.resolve()
    if not real.is_relative_to(root):
        raise bad("unsafe_path", f"{path} is a link out of {root}", path)
    if not real.is_file() or (real.stat().st_size < _POINTER_BYTES and _pointer(real)):
        raise SourceError(f"{inside}: its bytes are not on this disk; `git annex get` brings those of an annexed file")
    return real


def stat_version(stat: os.stat_result) -> str:
    """Return the version of a file of which only its stat is known: any write changes it, whatever its time says."""
    return "-".join(map(str, signature_of(stat)))


def _walk(folder: Path, prefix: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    with os.scandir(folder) as entries:
        shown = sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
    for entry in shown:
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(folder / entry.name, f"{prefix}{entry.name}/")
        elif not entry.name.lower().endswith(_UNFINISHED_SUFFIXES) and not entry.is_dir():
            yield f"{prefix}{entry.name}", entry


def _seen(root: Path, path: str, entry: os.DirEntry[str]) -> SourceFile:
    if entry.is_symlink():
        return _linked(root, path, entry.path)
    stat = entry.stat()
    if is_nifti(path) and stat.st_size < _POINTER_BYTES and (text := _pointer(root / path)):
        return _annexed(path, text, is_here=False) or _plain(path, stat)
    return _plain(path, stat)


def _plain(path: str, stat: os.stat_result) -> SourceFile:
    return SourceFile(path, stat.st_size, stat_version(stat))


def _linked(root: Path, path: str, link: str) -> SourceFile:
    """Return what a link says: thousands of them in an annexed data set, so that none is resolved before it is opened.

    One that leads out of the root by way of other links is found out then (`open_below`).
    """
    target = os.readlink(link)  # noqa: PTH115 - hot
    leads_to = target if target.startswith("/") else f"{root}/{path}/../{target}"
    leaves = not os.path.normpath(leads_to).startswith(f"{root}/")
    is_here = not leaves and os.path.isfile(link)  # noqa: PTH113 - hot
    annexed = _annexed(path, target, is_here=is_here)
    if annexed is not None and not leaves:
        return annexed
    if not is_here:
        return SourceFile(path, None, f"link {target}", is_here=False, leaves=leaves)
    return _plain(path, Path(link).stat())


def _annexed(path: str, target: str, *, is_here: bool) -> SourceFile | None:
    """Return what the key in a link's target or a pointer's text says, or None where it has none."""
    match = _ANNEX_KEY.search(target)
    if match is None:
        return None
    backend, fields, name = match.groups()
    size = re.search(r"-s(\d+)", fields)
    sha256 = name[:64] if backend in ("SHA256", "SHA256E") and re.fullmatch("[0-9a-f]{64}", name[:64]) else None
    return SourceFile(path, int(size[1]) if size else None, sha256 or f"{backend}--{name}", sha256, is_here)


def _pointer(path: Path) -> str:
    """Return the text of a file that stands for an annexed one, or nothing."""
    with path.open("rb") as file:
        start = file.read(_POINTER_BYTES)
    return start.decode("ascii", "replace") if start.startswith(_POINTER.encode()) else ""
