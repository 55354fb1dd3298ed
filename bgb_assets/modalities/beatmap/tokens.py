"""Stage tokens: every included difficulty as a token sequence in memory-mapped shards, mels indexed in place.

A shard is a part: which songs share one is a function of their keys and sizes, and what it holds a function of their
notes. Split, weight and score stand in `samples.parquet` only, so that a change of them rewrites no shard.

Belongs here: the stage and its files. Does not belong here: sequences (`song_tokens`, `tokenizer`), the formats
(`storage.shards`), crops (`data`, next in the flow).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from bgb_assets.modalities.beatmap.sequences import vocabulary as v
from bgb_assets.modalities.beatmap.sequences.song_tokens import Name, Wanted, encode_songs
from bgb_assets.modalities.beatmap.sequences.token_params import TokenParams
from bgb_assets.modalities.beatmap.sequences.tokenizer import UP_TO_LAST_OBJECT, header
from bgb_assets.modalities.beatmap.tables.songs import OFFICIAL
from bgb_assets.modalities.contract import FanIn, PartPlan, StageResult
from bgb_assets.storage.audits import value_range
from bgb_assets.storage.compaction import Weighted, assign
from bgb_assets.storage.digests import as_plain, sha256_json
from bgb_assets.storage.manifest import read_rows
from bgb_assets.storage.shards import (
    OFFSETS_SUFFIX,
    SAMPLE_FIELDS,
    Source,
    describe_shard,
    describe_source,
    write_index,
    write_shard,
)

MIRROR_FILE = "mirror.npy"

_ROW_COLUMNS = (
    *("row_id", "upload", "group", "split", "included", "weight", "source", "characteristic", "difficulty"),
    *("beatmap_id", "notes", "nps", "bpm", "score", "mel", "frames"),
)
_BYTES_PER_NOTE, _BYTES_PER_BAR = 8, 24
_SAMPLES = pa.schema(
    [
        *SAMPLE_FIELDS,
        pa.field("source", pa.int32()),
        pa.field("upload", pa.string()),
        pa.field("characteristic", pa.string()),
        pa.field("difficulty", pa.string()),
        pa.field("beatmap_id", pa.string()),
        pa.field("bars", pa.int32()),
        *(pa.field(name, pa.int16()) for name in v.CONDITION_COLUMNS),
    ]
)

Row = Mapping[str, Any]
Songs = Mapping[str, Sequence[Row]]


def plan(fan_in: FanIn, params: TokenParams) -> Mapping[str, PartPlan]:
    """Name the shards and the songs in each."""
    songs = _included(fan_in)
    notes = {member.key: member.entries["notes"].facets["notes"] for member in fan_in.members if member.key in songs}
    held = {"kinds": list(params.kinds), "fine": params.fine}
    plans = {}
    for name, keys in _groups(songs, params).items():
        contents = [sha256_json([notes.get(key, ""), [_content(row) for row in songs[key]]]) for key in keys]
        facets = {f"song.{number:06d}": digest for number, digest in enumerate(contents)}
        plans[name] = PartPlan(facets, held, keys)
    return plans


def run_part(name: str, fan_in: FanIn, params: TokenParams, out: Path) -> StageResult:
    """Write one shard: the sequences of its songs, and of each bar its place, its notes and its time."""
    songs = _included(fan_in)
    encoded = encode_songs(
        (
            (member.entries["notes"].directory, [_wanted(row, params) for row in songs[member.key]])
            for member in fan_in.members
        ),
        params,
    )
    arrays = {name: getattr(encoded, name) for name in ("tokens", "bar_starts", "bar_notes", "bar_seconds")}
    shard = write_shard(out, arrays)
    counts = {"samples": shard.samples, "tokens": shard.arrays["tokens"].shape[0]}
    return StageResult(metadata={**counts, "not_encoded": dict(sorted(encoded.dropped.items()))})


def run(fan_in: FanIn, params: TokenParams, out: Path) -> StageResult:
    """Write `index.json`, `samples.parquet` and `mirror.npy` over all shards."""
    songs = _included(fan_in)
    groups = _groups(songs, params)
    names = sorted(groups)
    rows = [(row, number) for number, name in enumerate(names) for key in groups[name] for row in songs[key]]
    shards = [describe_shard(fan_in.parts[name].directory, fan_in.parts[name].location) for name in names]
    sources = _sources(fan_in, [row for row, _ in rows])
    samples = _samples(rows, fan_in, names, {f"{one.location}/{one.file}": i for i, one in enumerate(sources)})
    np.save(out / MIRROR_FILE, v.mirror_table())
    upstream = {"vocabulary": v.digest(), "tokens": as_plain(params)}
    digest = write_index(out, shards=shards, samples=samples, sources=sources, upstream=upstream)
    metadata = [fan_in.parts[name].metadata for name in names]
    dropped: dict[str, int] = {}
    for part in metadata:
        for reason, count in part["not_encoded"].items():
            dropped[reason] = dropped.get(reason, 0) + count
    return StageResult(
        facets={"tokens": digest},
        metadata={
            "samples": len(rows),
            "shards": len(names),
            "tokens": sum(part["tokens"] for part in metadata),
            "not_encoded": dict(sorted(dropped.items())),
        },
        warnings=() if rows else ("the manifest includes no difficulty: there is nothing to train on",),
    )


def audit_range(directory: Path, root: Path) -> list[str]:
    """Return the shards that hold what is no token."""
    return value_range(directory, root, "tokens", 0, v.SIZE - 1)


def _included(fan_in: FanIn) -> dict[str, list[Row]]:
    """Return the included rows of the manifest by upload, sorted by key."""
    rows = read_rows(fan_in.inputs["manifest"], _ROW_COLUMNS)
    songs: dict[str, list[Row]] = {}
    for row in rows.filter(rows.column("included")).to_pylist():
        songs.setdefault(row["upload"], []).append(row)
    return dict(sorted(songs.items()))


def _groups(songs: Songs, params: TokenParams) -> dict[str, tuple[str, ...]]:
    """Return shard name -> keys of its songs."""
    members = [
        Weighted(key, sha256_json([_content(row) for row in rows]), sum(_size(row) for row in rows))
        for key, rows in songs.items()
    ]
    return {group.name: group.keys for group in assign(members, params.shard_bytes, params.shard_bytes)}


def _content(row: Row) -> list[Any]:
    """Return what of a row its sequence depends on; its notes aside."""
    return [row["characteristic"], row["difficulty"], row["beatmap_id"], _bars(row)]


def _size(row: Row) -> int:
    return int(row["notes"]) * _BYTES_PER_NOTE + max(0, _bars(row)) * _BYTES_PER_BAR


def _bars(row: Row) -> int:
    """Return the bars of the audio; those up to the last object where there is none."""
    return int(row["frames"]) // v.FRAMES_PER_BAR if row["mel"] else UP_TO_LAST_OBJECT


def _wanted(row: Row, params: TokenParams) -> Wanted:
    """Return what to encode; the score is no content, so that the shard leaves it open."""
    head = header(row["difficulty"], row["characteristic"], row["nps"], row["bpm"], v.any_of(v.QUAL))
    return Wanted(Name(row["characteristic"], row["difficulty"], row["beatmap_id"]), tuple(head), _bars(row))


def _conditions(row: Row) -> list[int]:
    quality = v.quality_id(row["score"], official=row["source"] == OFFICIAL)
    return header(row["difficulty"], row["characteristic"], row["nps"], row["bpm"], quality)[1:]


def _sources(fan_in: FanIn, rows: Sequence[Row]) -> list[Source]:
    """Return the mels of all rows once each, in order."""
    uploads = {row["mel"]: row["upload"] for row in reversed(rows) if row["mel"]}
    places = [(mel, *mel.rpartition("/")[::2]) for mel in sorted(uploads)]
    return [describe_source(uploads[mel], fan_in.root / location, location, file) for mel, location, file in places]


def _samples(
    rows: Sequence[tuple[Row, int]], fan_in: FanIn, names: Sequence[str], sources: Mapping[str, int]
) -> pa.Table:
    offsets, lengths = _places(fan_in, names, "tokens")
    _, bars = _places(fan_in, names, "bar_starts")
    only = [row for row, _ in rows]
    columns: dict[str, Any] = {
        "sample": [row["row_id"] for row in only],
        "shard": [number for _, number in rows],
        "offset": offsets,
        "length": lengths,
        "source": [sources.get(row["mel"], -1) for row in only],
        "bars": bars,
    }
    for name in ("group", "split", "weight", "upload", "characteristic", "difficulty", "beatmap_id"):
        columns[name] = [row[name] for row in only]
    conditions = np.array([_conditions(row) for row in only], np.int16).reshape(-1, len(v.CONDITION_COLUMNS))
    columns |= {name: conditions[:, number] for number, name in enumerate(v.CONDITION_COLUMNS)}
    return pa.table({field.name: pa.array(list(columns[field.name]), field.type) for field in _SAMPLES}, _SAMPLES)


def _places(fan_in: FanIn, names: Sequence[str], array: str) -> tuple[v.Ids, v.Ids]:
    """Return where each sample's part of a ragged array begins in its shard, and its length."""
    held = [np.load(fan_in.parts[name].directory / f"{array}{OFFSETS_SUFFIX}.npy") for name in names]
    nothing = np.zeros(0, np.int64)
    starts = np.concatenate([nothing, *(offsets[:-1] for offsets in held)])
    return starts, np.concatenate([nothing, *(np.diff(offsets) for offsets in held)])
