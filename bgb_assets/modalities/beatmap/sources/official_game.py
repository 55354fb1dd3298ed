"""Finds the packs and levels in a game folder, whatever case its folders are written in.

Belongs here: where the game keeps its files. Nothing is opened but the first bytes of a file, nothing is written.
Does not belong here: what is in them (`official_packs`, `official_levels`).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bgb_assets.modalities.beatmap.formats.folder import files_below, is_ignored
from bgb_assets.modalities.beatmap.sources.official_bundles import is_bundle
from bgb_assets.runtime.errors import UsageError

_STREAMING, _DATA_SUFFIX, _LEVELS = "streamingassets", "_data", "beatmaplevelsdata"
_PACK = re.compile(r"^(?P<pack>.+)_pack_assets_all_.*\.bundle$", re.IGNORECASE)
_BESIDE = (".manifest", ".meta")
"""Files that tools put beside bundles."""


@dataclass(frozen=True)
class LevelFile:
    """One level's bundle.

    Attributes:
        level_id: The id that its place gives it, as written there.
        path: The bundle.
    """

    level_id: str
    path: Path


@dataclass(frozen=True)
class GameFolder:
    """Where one game keeps its songs.

    Attributes:
        root: The outermost folder of the game that was found; labels are relative to it.
        streaming: Its `StreamingAssets`.
    """

    root: Path
    streaming: Path

    def packs(self) -> Iterator[tuple[str, Path]]:
        """Yield (pack name, bundle) of what describes levels, sorted by path."""
        for path in self.shared_bundles():
            match = _PACK.match(path.name)
            if match:
                yield match["pack"].lower(), path

    def shared_bundles(self) -> Iterator[Path]:
        """Yield the bundles that levels share, packs included, sorted by path."""
        shared = child(self.streaming, "aa")
        if shared is not None:
            names = sorted(files_below(shared))
            yield from (shared / name for name in names if name.lower().endswith(".bundle"))

    def levels(self) -> Iterator[LevelFile]:
        """Yield the bundles of levels: those that came with the game, then those bought."""
        for folder in (self.streaming, *_folders(child(self.streaming, "aa"))):
            yield from (LevelFile(path.name, path) for path in _files(child(folder, _LEVELS)))
        for place in dict.fromkeys((self.root, self.streaming.parent, self.streaming)):
            bought = child(place, "dlc")
            for folder in _folders(child(bought, "levels") if bought else None):
                yield from _bought(folder)

    def label(self, path: Path) -> str:
        """Return how messages name a file of the game."""
        return path.relative_to(self.root).as_posix()


def find_game(folder: Path) -> GameFolder:
    """Return the game in a folder: the game's own, its data folder, or `StreamingAssets` itself.

    Raises:
        UsageError: It is none of them.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder; name the folder that the game is installed in")
    folder = folder.resolve()
    for place in (folder, *(data for data in _folders(folder) if data.name.lower().endswith(_DATA_SUFFIX))):
        streaming = place if place.name.lower() == _STREAMING else child(place, _STREAMING)
        if streaming is not None:
            return GameFolder(_outermost(streaming), streaming)
    raise UsageError(f"{folder}: no StreamingAssets there; name the folder that the game is installed in")


def child(folder: Path, name: str) -> Path | None:
    """Return the folder of that name in another, exactly or else without case; None where there is none."""
    found = [path for path in _folders(folder) if path.name.lower() == name.lower()]
    return min(found, key=lambda path: (path.name != name, path.name), default=None)


def _outermost(streaming: Path) -> Path:
    data = streaming.parent
    return data.parent if data.name.lower().endswith(_DATA_SUFFIX) else data


def _bought(folder: Path) -> Iterator[LevelFile]:
    """Yield the bundles of one bought level; where nothing looks like one, all files, to be told why not."""
    files = _files(folder)
    bundles = files if len(files) == 1 else [path for path in files if is_bundle(path)] or files
    for path in bundles:
        yield LevelFile(folder.name if len(bundles) == 1 else f"{folder.name}.{path.stem}", path)


def _folders(folder: Path | None) -> list[Path]:
    if folder is None:
        return []
    return sorted(path for path in folder.iterdir() if path.is_dir() and not is_ignored(path.name))


def _files(folder: Path | None) -> list[Path]:
    if folder is None:
        return []
    seen = (path for path in folder.iterdir() if path.is_file() and not is_ignored(path.name))
    return sorted(path for path in seen if path.suffix.lower() not in _BESIDE)
