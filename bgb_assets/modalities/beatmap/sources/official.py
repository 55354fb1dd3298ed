"""The source `official:<game folder>`: the songs that an installed copy of the game holds.

`plan` reads the packs and names every level's bundle, without opening those that a pack knows; `fetch` opens one
bundle, in a worker process. Nothing is ever written into the game folder. A level that is no longer in the folder
is not reported as gone: its bytes are the user's own, and another folder may hold it.
Belongs here: the order of things, and versions. Does not belong here: the game's folders (`official_game`), packs
(`official_packs`) and levels (`official_levels`). Next in the flow: the engine registers the map folders for `raw`.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bgb_assets.modalities.beatmap.formats.identities import json_digest
from bgb_assets.modalities.beatmap.formats.reading import file_digest
from bgb_assets.modalities.beatmap.sources.official_bundles import require_unity
from bgb_assets.modalities.beatmap.sources.official_game import GameFolder, LevelFile, find_game
from bgb_assets.modalities.beatmap.sources.official_ledger import Ledger
from bgb_assets.modalities.beatmap.sources.official_levels import level_name, read_level, write_map
from bgb_assets.modalities.beatmap.sources.official_packs import PackedLevel, Packs, read_pack, read_packs
from bgb_assets.modalities.sources import Offer, Source
from bgb_assets.runtime.errors import BadInput, SourceError, UsageError

PREFIX = "official"
_RECIPE = 1
"""Raise it when equal bundles are written as other files: every level is then fetched again."""
_PACK, _LEVEL = "pack", "level"
_AT_ONCE = 8
_DIGITS = 8


def source(rest: str, options: Mapping[str, str]) -> Source:
    """Return the source of an installed game.

    Args:
        rest: Its folder; the data folder or `StreamingAssets` will do too.
        options: None are known.

    Raises:
        UsageError: No game lies there, an option is unknown, or UnityPy is not installed.
    """
    if options:
        raise UsageError(f"official levels have no option {sorted(options)[0]!r}")
    if not rest:
        raise UsageError("name the game's folder: official:/path/to/Beat Saber")
    require_unity()
    return OfficialLevels(find_game(Path(rest).expanduser()))


@dataclass(frozen=True)
class OfficialLevels:
    """The levels of one game folder; see `bgb_assets.modalities.sources.Source`."""

    game: GameFolder
    at_once: int = _AT_ONCE
    processes: bool = True

    def plan(self, held: Mapping[str, str], work: Path) -> Iterator[Offer]:
        """Yield one offer per level, and one per pack that cannot be read, so that it is reported.

        Raises:
            SourceError: The game folder holds neither packs nor levels.
        """
        ledger = Ledger(work, self.game.root)
        try:
            packs = read_packs(self.game, ledger)
            ledger.save()  # should the rest be killed, the packs are not read again
            yield from self._offers(packs, ledger)
            ledger.forget()
        finally:  # a plan may be left in the middle
            ledger.save()

    def fetch(self, offer: Offer, work: Path, out: Path) -> None:
        """Write one level as a map folder.

        Raises:
            BadInput: Its bundle cannot be used; the reason names it.
            SourceError: The file changed since it was planned.
        """
        document = offer.document or {}
        path, label = Path(offer.origin), str(document["label"])
        content = _read_as_planned(path, document)
        if document["kind"] == _PACK:
            read_pack(path, label)
            raise SourceError(f"{label}: can be read now, but could not when it was planned; ingest again")
        write_map(read_level(content, label), document["said"], label, out)

    def _offers(self, packs: Packs, ledger: Ledger) -> Iterator[Offer]:
        seen: set[str] = set()
        for path in packs.broken:
            yield self._pack_offer(path, ledger)
        for level in self.game.levels():
            yield self._level_offer(level, packs, ledger, seen)
        if not (seen or packs.levels or packs.broken):
            raise SourceError(f"{self.game.streaming}: neither packs nor levels there; is the game fully installed?")

    def _pack_offer(self, path: Path, ledger: Ledger) -> Offer:
        digest = ledger.said(path, "digest", file_digest)
        document = {"kind": _PACK, "label": self.game.label(path), "sha256": digest}
        version = json_digest([_RECIPE, document])
        return Offer(f"{PREFIX}.{_PACK}.{path.name}", str(path), version, document=document)

    def _level_offer(self, level: LevelFile, packs: Packs, ledger: Ledger, seen: set[str]) -> Offer:
        label = self.game.label(level.path)
        digest = ledger.said(level.path, "digest", file_digest)
        name = level.level_id.casefold()
        name = name if name not in seen else f"{name}.{digest[:_DIGITS]}"
        seen.add(name)
        packed = self._packed(level, packs, ledger)
        said = packed.document if packed else None
        document = {"kind": _LEVEL, "label": label, "sha256": digest, "said": said}
        return Offer(
            path=f"{PREFIX}.{name}",
            origin=str(level.path),
            # Where the game is installed is no part of it.
            version=json_digest([_RECIPE, digest, said]),
            facts={
                "source_id": said["_levelID"] if said else level.level_id,
                "pack": packed.pack if packed else None,
            },
            document=document,
        )

    def _packed(self, level: LevelFile, packs: Packs, ledger: Ledger) -> PackedLevel | None:
        """Return what a pack says of a level: by the name of its place, of its file, or that in its bundle."""
        for name in (level.level_id, level.path.stem):
            if name.casefold() in packs.levels:
                return packs.levels[name.casefold()]
        label = self.game.label(level.path)
        try:
            own: str = ledger.said(level.path, "name", lambda path: level_name(path, label))
        except BadInput:
            return None  # `fetch` meets the same and reports it
        return packs.levels.get(own.casefold())


def _read_as_planned(path: Path, document: Mapping[str, Any]) -> bytes:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise SourceError(f"{path}: no longer there; ingest again") from None
    if hashlib.sha256(content).hexdigest() != document["sha256"]:
        raise SourceError(f"{path}: changed since it was looked at; ingest again when the game is updated")
    return content
