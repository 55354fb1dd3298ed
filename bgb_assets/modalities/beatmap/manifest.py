"""Stage manifest: all difficulties of all songs with group, split and reason, and the note tables in a few files.

Belongs here: the stage's functions and its files. Does not belong here: the rows (`manifest_rows`), the same recording
in other encodes (`manifest_groups`), the rules (`filters`), the formats (`storage.manifest`, `storage.tables`). Next
in the flow: `tokens` reads the rows.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bgb_assets.modalities.beatmap.tables.manifest_groups import (
    SameRecording,
    describe,
    find_recordings,
    is_landmarks,
    plan_landmarks,
    run_landmarks,
    splits_of,
)
from bgb_assets.modalities.beatmap.tables.manifest_params import ManifestParams
from bgb_assets.modalities.beatmap.tables.manifest_rows import MODALITY, ROWS, make_rows, read_difficulties
from bgb_assets.modalities.beatmap.tables.schemas import TABLES
from bgb_assets.modalities.beatmap.tables.songs import source_of, write_songs
from bgb_assets.modalities.contract import FanIn, Member, PartPlan, StageResult
from bgb_assets.storage.audits import schemas
from bgb_assets.storage.compaction import Weighted
from bgb_assets.storage.digests import sha256_json, sha256_pairs
from bgb_assets.storage.found_groups import write_found
from bgb_assets.storage.groups import merge, merged_members
from bgb_assets.storage.manifest import write_manifest
from bgb_assets.storage.pins import Decision, Pins, read_pins
from bgb_assets.storage.table_reader import Tables
from bgb_assets.storage.tables import (
    PartSummary,
    RowsPerGroup,
    conform,
    plan_parts,
    table_of,
    write_listing,
    write_part,
)

WHERE = f"{MODALITY}/manifest"
CLASSES = ("characteristic", "difficulty")

OLDER_NAMES: Mapping[str, str] = {"time_seconds": "time_s", "angle_offset": "angle_deg"}
"""Column names of the older single-file layout -> those of `TABLES`, for `storage.table_reader.read_table`."""


def compacted_schemas() -> dict[str, pa.Schema]:
    """Return the schemas of the compacted tables: those of the entries, with `source` after `beatmap_id`."""
    schemas = {}
    for table, schema in TABLES.items():
        at = schema.get_field_index("beatmap_id")
        schemas[table] = schema.insert(at + 1, pa.field("source", schema.field(at).type))
    return schemas


def plan(fan_in: FanIn, params: ManifestParams) -> Mapping[str, PartPlan]:
    """Name the files of tables and landmarks and the songs in each; songs with equal rows are written once."""
    stands_for = _stands_for(fan_in.members)
    members: dict[str, list[Weighted]] = {table: [] for table in TABLES}
    for member in fan_in.members:
        if member.key not in stands_for:
            _weigh(member, members)
    tables = {
        name: PartPlan(
            facets={"members": group.digest},
            params={"table": table_of(name), "rows_per_group": params.rows_per_group},
            members=group.keys,
        )
        for name, group in plan_parts(members, min(params.file_bytes, params.max_file_bytes)).items()
    }
    return {**tables, **plan_landmarks(fan_in.members, params.max_file_bytes)}


def run_part(name: str, fan_in: FanIn, params: ManifestParams, out: Path) -> StageResult:
    """Write one file with the rows, or the landmarks, of the members, and its index."""
    if is_landmarks(name):
        return run_landmarks(fan_in.members, out)
    table = table_of(name)
    schema = compacted_schemas()[table]
    rows = ((member.key, _rows(member, table, schema)) for member in fan_in.members)
    least: RowsPerGroup = "upload" if params.rows_per_group == "song" else params.rows_per_group
    summary = write_part(out, table, schema, rows, least)
    return StageResult(metadata=asdict(summary), warnings=tuple(_size_warnings(name, summary, params)))


def run(fan_in: FanIn, params: ManifestParams, out: Path) -> StageResult:
    """Write `rows.parquet`, `manifest.json`, `songs.parquet`, `tables.json` and `tables_index.parquet`.

    Recordings that sound the same and are not pinned as one are listed in `manifest.json`; with `group_by`
    `"fingerprint"` in `found_groups.json` too, from where the engine pins them and calls again.

    Raises:
        ContractError: A group is in two splits, or a row breaks another promise of `storage.manifest`.
        ConfigError: A pin file or a source's score or split cannot be used.
    """
    members = {member.key: member for member in fan_in.members}
    stands_for = _stands_for(fan_in.members)
    hashes = {key: member.entries["raw"].facets["song"] for key, member in members.items()}
    tables_made = {name: part for name, part in fan_in.parts.items() if not is_landmarks(name)}
    landmarks_made = [part for name, part in sorted(fan_in.parts.items()) if is_landmarks(name)]
    listing = write_listing(out, tables_made, {"song_hash": hashes}, stands_for)
    with Tables(out, fan_in.root) as tables:
        difficulties = read_difficulties(tables, fan_in.members, stands_for)
    pins = _pins(fan_in.pins, params)
    rows, decision = make_rows(difficulties, members, pins, params.filters, params.split, params.official_share)
    songs = write_songs(out, fan_in.members)
    found = find_recordings(landmarks_made, pins)
    _list_found(out, found, rows, params)
    recordings = describe(found, rows)
    notes = {"songs": songs, "recordings": recordings, **_merge_notes(rows, decision, pins)}
    manifest = write_manifest(out, rows, where=WHERE, schema=ROWS, params=params, classes=CLASSES, notes=notes)
    named = ("rows", "included", "excluded", "reasons", "splits", "classes", "songs")
    counted = {name: len(values) for name, values in recordings.items()}
    return StageResult(
        facets={"rows": manifest["digests"]["rows"], "tables": _tables_digest(listing)},
        metadata={
            **{name: manifest[name] for name in named},
            "recordings": {**counted, "merged": len(manifest["merged_groups"])},
        },
        warnings=(*_move_warnings(decision), *_straddle_warnings(recordings["straddling"])),
    )


def audit_schema(directory: Path, root: Path) -> list[str]:
    """Return the compacted tables that do not hold the declared columns."""
    return schemas(directory, root, compacted_schemas())


def _stands_for(members: Sequence[Member]) -> dict[str, str]:
    """Return upload -> the first upload with equal rows, for every upload but those first ones."""
    first: dict[str, str] = {}
    found: dict[str, str] = {}
    for member in members:
        key = first.setdefault(_content(member), member.key)
        if key != member.key:
            found[member.key] = key
    return found


def _content(member: Member) -> str:
    """Return the digest of what a song's rows are made of."""
    return sha256_pairs([("notes", member.entries["notes"].facets["notes"]), ("source", source_of(member) or "")])


def _weigh(member: Member, members: Mapping[str, list[Weighted]]) -> None:
    content = _content(member)
    directory = member.entries["notes"].directory
    for table, found in members.items():
        path = directory / f"{table}.parquet"
        if path.is_file():
            found.append(Weighted(member.key, content, path.stat().st_size))


def _rows(member: Member, table: str, schema: pa.Schema) -> pa.Table:
    with pq.ParquetFile(member.entries["notes"].directory / f"{table}.parquet") as file:
        return conform(file.read(use_threads=False), schema, {"source": source_of(member)})


def _size_warnings(name: str, summary: PartSummary, params: ManifestParams) -> Iterator[str]:
    if summary.bytes > params.max_file_bytes:
        yield f"{name}: {summary.bytes} bytes are more than max_file_bytes {params.max_file_bytes}"


def _pins(directory: Path, params: ManifestParams) -> Pins:
    """Return what is pinned; pairs that sound the same are none of it where only equal audio makes a group."""
    pins = read_pins(directory)
    return pins if params.group_by == "fingerprint" else replace(pins, pairs=())


def _list_found(out: Path, found: Sequence[SameRecording], rows: pa.Table, params: ManifestParams) -> None:
    if params.group_by == "fingerprint":
        pairs = [(pair.first, pair.second) for pair in found]
        write_found(out, pairs, splits_of(rows, {name for pair in pairs for name in pair}, params.split))


def _merge_notes(rows: pa.Table, decision: Decision, pins: Pins) -> dict[str, Any]:
    """Return what was merged and moved, for `manifest.json`."""
    merged = merged_members(merge(_groups(rows), pins.same))
    return {"merged_groups": merged, "moved": [asdict(move) for move in decision.moves]}


def _groups(rows: pa.Table) -> list[str]:
    pairs = zip(rows.column("audio_id").to_pylist(), rows.column("song_hash").to_pylist(), strict=True)
    return [str(audio_id or song_hash) for audio_id, song_hash in pairs]


def _move_warnings(decision: Decision) -> Iterator[str]:
    for move in decision.moves:
        yield f"group {move.group!r} was pinned to {move.pinned} and is in {move.split} now, as part of {move.merged!r}"
    if conflicts := sum(decision.conflicts):
        yield f"{conflicts} difficulties are left out as split_conflict: pin or source disagrees with the group"


def _straddle_warnings(straddling: Sequence[Sequence[str]]) -> Iterator[str]:
    if straddling:
        first, second, in_first, in_second = straddling[0]
        yield (
            f"{len(straddling)} pairs of recordings sound the same and lie in different splits, "
            f"such as {first!r} ({in_first}) and {second!r} ({in_second})"
        )


def _tables_digest(listing: Mapping[str, Any]) -> str:
    return sha256_json([[file["part"], file["digest"]] for files in listing["tables"].values() for file in files])
