"""Finds the files of one delivered map: its Info, and the names that Info says, whatever their case.

Belongs here: what is looked at in an upload's directory and what is passed over.
Does not belong here: reading a file (`reading`) and finding uploads below a folder (`raw.discover`).
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bgb_assets.runtime.errors import BadInput

INFO_NAMES = ("info.dat", "info.json")
"""Entry files in order of preference, lower-case; the second is version 1's."""

_UNFINISHED_SUFFIXES = (".part", ".tmp")
_ADD_INFO = "add the map's Info.dat or exclude the upload"


@dataclass(frozen=True)
class MapFolder:
    """One map on disk.

    Attributes:
        root: The upload's directory.
        info: Relative path of the Info file.
        files: Relative POSIX paths of all files of the upload, sorted.
    """

    root: Path
    info: str
    files: tuple[str, ...]

    def find(self, name: str) -> str | None:
        """Return the relative path of a file that Info names, exactly or else without case.

        Of several that differ in case only, the first by sorting is taken.
        """
        wanted = self._beside_info(name)
        if wanted in self.files:
            return wanted
        folded = wanted.casefold()
        return next((path for path in self.files if path.casefold() == folded), None)

    def path(self, relative: str) -> Path:
        """Return the path of one of `files`."""
        return self.root / relative

    def named_exactly(self, name: str, found: str) -> bool:
        """Say whether a found path has the case that Info gives it."""
        return found == self._beside_info(name)

    def _beside_info(self, name: str) -> str:
        return self.info.rpartition("/")[0] + "/" * ("/" in self.info) + name.replace("\\", "/")


def open_folder(root: Path) -> MapFolder:
    """Return the map in a directory; it may lie in a single sub-folder.

    Raises:
        BadInput: There is no Info file, or more than one.
    """
    files = tuple(sorted(files_below(root)))
    for depth in sorted({path.count("/") for path in files}):
        level = [path for path in files if path.count("/") == depth]
        for info_name in INFO_NAMES:
            infos = [path for path in level if path.rpartition("/")[2].lower() == info_name]
            if len(infos) > 1:
                raise BadInput(f"more than one Info file: {infos!r}", "keep one of them")
            if infos:
                return MapFolder(root, infos[0], files)
    if not files:
        raise BadInput("the folder is empty, expected an Info.dat", _ADD_INFO)
    shown = ", ".join(files[:5]) + (", ..." if len(files) > 5 else "")
    raise BadInput(f"no Info.dat or info.json among {len(files)} files ({shown})", _ADD_INFO)


def is_ignored(name: str) -> bool:
    """Say whether a file or folder is passed over: hidden, or not yet completely written."""
    return name.startswith(".") or name == "__MACOSX" or name.lower().endswith(_UNFINISHED_SUFFIXES)


def is_info(name: str) -> bool:
    """Say whether a file name is that of an Info file."""
    return name.lower() in INFO_NAMES


def files_below(directory: Path, prefix: str = "") -> Iterator[str]:
    """Yield the relative POSIX paths of all files below a folder that are not ignored; follows no folder link."""
    with os.scandir(directory) as entries:
        for entry in entries:
            if is_ignored(entry.name):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from files_below(directory / entry.name, f"{prefix}{entry.name}/")
            elif entry.is_file():
                yield prefix + entry.name
