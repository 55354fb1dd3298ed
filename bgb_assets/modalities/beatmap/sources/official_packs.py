"""Reads what the game's packs say of their levels: names, tempo and jump speeds.

A pack names the characteristic of a set of difficulties by a pointer, mostly into another bundle. It is followed
there, as jump speeds belong to a (characteristic, difficulty): OneSaber Expert is not Standard Expert.
Belongs here: the fields of a pack, following those pointers, and all packs of a game as one lookup.
Does not belong here: notes and audio (`official_levels`). Next in the flow: `official`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bgb_assets.modalities.beatmap.formats.info import clean_text
from bgb_assets.modalities.beatmap.formats.naming import DIFFICULTIES
from bgb_assets.modalities.beatmap.sources.official_bundles import VERIFY, Behaviour, archive_files, behaviours, is_null
from bgb_assets.modalities.beatmap.sources.official_game import GameFolder
from bgb_assets.modalities.beatmap.sources.official_ledger import Ledger
from bgb_assets.runtime.errors import BadInput

_LEVEL = "BeatmapLevel"
_NO_LEVELS = ("Pack", "Product", "Leaderboard", "Promo", "Collection")
"""Names with these are not levels, though they have level ids."""
_TEXTS = ("_levelID", "_songName", "_songSubName", "_songAuthorName", "_levelAuthorName")
_NUMBERS = ("_beatsPerMinute", "_songDuration", "_songTimeOffset")
_CHARACTERISTIC_NAME = "_serializedName"

Document = Mapping[str, Any]
"""Plain JSON, as the ledger keeps it."""


@dataclass(frozen=True)
class PackedLevel:
    """What a pack says of one level.

    Attributes:
        pack: The pack's name, of its file.
        document: The level's texts and numbers under the game's own names, and under `sets` one
            `{"characteristic": name or None, "speeds": {difficulty: [jump speed, jump offset in beats]}}` each.
    """

    pack: str
    document: Document


@dataclass(frozen=True)
class Packs:
    """All packs of a game.

    Attributes:
        levels: Level id without case -> what its pack says; of two packs, the first by path counts.
        broken: Pack bundles that cannot be read.
    """

    levels: Mapping[str, PackedLevel]
    broken: tuple[Path, ...]


def read_packs(game: GameFolder, ledger: Ledger) -> Packs:
    """Return what the packs of a game say; bundles that the ledger knows are not opened again."""
    said: dict[str, PackedLevel] = {}
    broken = []
    names = _Characteristics(game, ledger)
    for pack, path in game.packs():
        try:
            levels = ledger.said(path, "pack", _reader(read_pack, game.label(path)))
        except BadInput:
            broken.append(path)
            continue
        for level in levels:
            sets = [_named(entry, names) for entry in level["sets"]]
            said.setdefault(level["_levelID"].casefold(), PackedLevel(pack, {**level, "sets": sets}))
    return Packs(said, tuple(broken))


def read_pack(path: Path, label: str) -> list[Document]:
    """Return the levels of one pack, in its order; a set's characteristic is a name or an outside pointer.

    Raises:
        BadInput: Not a bundle, damaged, or a field of a level is not what it should be.
    """
    return [_level(found, label) for found in behaviours(path.read_bytes(), label) if _is_level(found)]


def read_characteristics(path: Path, label: str) -> Document:
    """Return path id (as text) -> name of the characteristics in a bundle.

    Raises:
        BadInput: Not a bundle, or damaged.
    """
    found = behaviours(path.read_bytes(), label)
    return {
        str(item.path_id): str(item.fields[_CHARACTERISTIC_NAME]) for item in found if item.has(_CHARACTERISTIC_NAME)
    }


class _Characteristics:
    """Follows pointers out of packs; only bundles that a pointer leads to are opened."""

    def __init__(self, game: GameFolder, ledger: Ledger) -> None:
        self._game = game
        self._ledger = ledger
        self._places: Mapping[str, Path] | None = None

    def name(self, file: str, path_id: int) -> str | None:
        """Return the characteristic, or None where the game folder lacks it."""
        if self._places is None:
            self._places = dict(self._archive_places())
        path = self._places.get(file)
        if path is None:
            return None
        try:
            names = self._ledger.said(path, "characteristics", _reader(read_characteristics, self._game.label(path)))
        except BadInput:
            return None  # no upload of its own: levels then find their speeds by elimination, or have none
        name: str | None = names.get(str(path_id))
        return name

    def _archive_places(self) -> Iterator[tuple[str, Path]]:
        for path in self._game.shared_bundles():
            try:
                files = self._ledger.said(path, "files", _reader(archive_files, self._game.label(path)))
            except BadInput:
                continue  # a pack among them is reported as such; the others hold no song
            yield from ((name, path) for name in files)


def _reader(read: Callable[[Path, str], Any], label: str) -> Callable[[Path], Any]:
    return lambda path: read(path, label)


def _named(entry: Document, names: _Characteristics) -> Document:
    outside = entry["outside"]
    name = names.name(*outside) if outside else entry["characteristic"]
    return {"characteristic": name, "speeds": entry["speeds"]}


def _is_level(found: Behaviour) -> bool:
    is_named = _LEVEL in found.name and not any(word in found.name for word in _NO_LEVELS)
    return is_named and found.has("_levelID") and bool(found.fields["_levelID"])


def _level(found: Behaviour, label: str) -> Document:
    where = f"{label}: {found.name}"
    texts = {name: clean_text(str(found.fields.get(name, ""))) for name in _TEXTS}
    numbers = {name: _number(found.fields.get(name, 0.0), f"{where}: {name}") for name in _NUMBERS}
    sets = [_set(found, entry, where) for entry in found.fields.get("_previewDifficultyBeatmapSets", ())]
    return {**texts, **numbers, "sets": sets}


def _set(found: Behaviour, entry: Mapping[str, Any], where: str) -> Document:
    speeds = {}
    for item in entry.get("_previewDifficultyBeatmaps", ()):
        difficulty = difficulty_of(item.get("_difficulty"), where)
        speeds[difficulty] = [
            _number(item.get(field, 0.0), f"{where}: {field}")
            for field in ("_noteJumpMovementSpeed", "_noteJumpStartBeatOffset")
        ]
    pointer = entry.get("_beatmapCharacteristic")
    outside = None if is_null(pointer) else found.outside(pointer)
    inside = None if is_null(pointer) or outside else found.pointed(pointer)
    name = str(inside.get(_CHARACTERISTIC_NAME, "")) or None if inside else None
    return {"characteristic": name, "outside": list(outside) if outside else None, "speeds": speeds}


def difficulty_of(number: Any, where: str) -> str:
    """Return the name of a difficulty that the game numbers from 0.

    Raises:
        BadInput: There is no such difficulty.
    """
    if not isinstance(number, int) or not 0 <= number < len(DIFFICULTIES):
        raise BadInput(f"{where}: difficulty must be 0 to {len(DIFFICULTIES) - 1}, got {number!r}", VERIFY)
    return DIFFICULTIES[number]


def _number(value: Any, where: str) -> float:
    """Return a number as its author wrote it: Unity keeps 128.3 as float32, which in float64 is 128.3000030517578."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise BadInput(f"{where}: expected a finite number, got {value!r:.80}", VERIFY)
    return float(str(np.float32(value)))
