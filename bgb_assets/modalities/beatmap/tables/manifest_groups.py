"""Groups of the manifest: songs that are one recording in several encodes, found among all of the corpus.

Belongs here: which files hold the landmarks of which songs, the pairs that are not pinned yet, those that straddle
splits, the audit of them. Does not belong here: comparing sound (`recordings`), pins and merging (`storage.pins`),
rows (`manifest_rows`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from bgb_assets.modalities.beatmap.audio.landmarks import LANDMARKS_FILE
from bgb_assets.modalities.beatmap.audio.recordings import Alike, find_pairs, read_songs_files, write_songs_file
from bgb_assets.modalities.beatmap.tables.manifest_rows import MODALITY
from bgb_assets.modalities.contract import Member, PartPlan, StageResult
from bgb_assets.storage.compaction import Weighted
from bgb_assets.storage.digests import sha256_pairs
from bgb_assets.storage.groups import merge
from bgb_assets.storage.manifest import read_counts
from bgb_assets.storage.pins import Pins
from bgb_assets.storage.splits import NONE, SPLIT_NAMES, SplitParams, split_of
from bgb_assets.storage.tables import Located, plan_parts, table_of

LANDMARKS_TABLE = "landmarks"
"""The parts that hold landmarks are named like those of a table."""

_FILE_BYTES = 200_000
"""About 30 songs: one more song writes so many again, evicted ones decoded for it, and 700 files hold 20,000 songs."""

_LANDMARK_BYTES = 8
_NAMED = 10


@dataclass(frozen=True)
class SameRecording:
    """Two recordings by `audio_id` that sound the same and are not pinned as one, the lesser first."""

    first: str
    second: str
    alike: Alike


def is_landmarks(part: str) -> bool:
    """Say whether a part holds landmarks, and not rows of a table."""
    return table_of(part) == LANDMARKS_TABLE


def plan_landmarks(members: Sequence[Member], max_file_bytes: int) -> Mapping[str, PartPlan]:
    """Name the files of landmarks and the songs in each; of several uploads of one file the first counts."""
    first: dict[str, Weighted] = {}
    for member in members:
        audio = member.entries["raw"].facets.get("audio")
        if audio is not None and audio not in first:
            cache = member.entries["cache"]
            content = sha256_pairs([("audio", audio), ("landmarks", cache.facets["landmarks"])])
            first[audio] = Weighted(member.key, content, 1 + _LANDMARK_BYTES * int(cache.metadata["landmarks"]))
    return {
        name: PartPlan(facets={"members": group.digest}, params={"table": LANDMARKS_TABLE}, members=group.keys)
        for name, group in plan_parts({LANDMARKS_TABLE: first.values()}, min(_FILE_BYTES, max_file_bytes)).items()
    }


def run_landmarks(members: Sequence[Member], out: Path) -> StageResult:
    """Write the landmarks of the members, each under its `audio_id`."""
    files = ((m.entries["raw"].facets["audio"], m.entries["cache"].directory / LANDMARKS_FILE) for m in members)
    index = write_songs_file(out, files)
    return StageResult(metadata={"songs": len(index["names"]), "landmarks": sum(index["counts"])})


def find_recordings(parts: Iterable[Located], pins: Pins) -> list[SameRecording]:
    """Return the pairs that sound the same and that the pins neither connect nor deny, sorted."""
    songs = read_songs_files(part.directory for part in parts)
    names = list(songs)
    numbers = {name: number for number, name in enumerate(names)}
    merged = merge(names, pins.same)
    # A smallest name may be of a recording that is gone: it gets a number of its own.
    known = [numbers.setdefault(merged[name], len(numbers)) for name in names]
    found = (SameRecording(names[i], names[j], alike) for i, j, alike in find_pairs(list(songs.values()), known))
    return [pair for pair in found if not pins.denies(pair.first, pair.second)]


def splits_of(rows: pa.Table, recordings: Iterable[str], params: SplitParams) -> dict[str, int]:
    """Return the split that each recording's rows have; by its hash where none of them has one."""
    held: dict[str, int] = {}
    for audio, split in zip(rows.column("audio_id").to_pylist(), rows.column("split").to_pylist(), strict=True):
        if audio is not None and split != NONE:
            held[str(audio)] = int(split or 0)
    return {name: held.get(name, split_of(MODALITY, name, params)) for name in recordings}


def describe(found: Sequence[SameRecording], rows: pa.Table) -> dict[str, Any]:
    """Return what `manifest.json` says: all pairs, and those with included rows in different splits."""
    used = rows.filter(rows.column("included"))
    splits = dict(zip(used.column("audio_id").to_pylist(), used.column("split").to_pylist(), strict=True))
    straddling = [
        [pair.first, pair.second, SPLIT_NAMES[splits[pair.first]], SPLIT_NAMES[splits[pair.second]]]
        for pair in found
        if pair.first in splits and pair.second in splits and splits[pair.first] != splits[pair.second]
    ]
    pairs = [[pair.first, pair.second, pair.alike.votes, round(pair.alike.share, 4)] for pair in found]
    return {"pairs": pairs, "straddling": straddling}


def audit_recordings(directory: Path, root: Path) -> list[str]:
    """Return the pairs of songs that are one recording and lie in different splits."""
    del root
    straddling = read_counts(directory)["recordings"]["straddling"]
    named = [
        f"{first} ({in_first}) and {second} ({in_second}) are one recording: set group_by to 'fingerprint', or name "
        f"the pair in not_same.json"
        for first, second, in_first, in_second in straddling[:_NAMED]
    ]
    return named + [f"and {len(straddling) - _NAMED} more pairs"] * (len(straddling) > _NAMED)
