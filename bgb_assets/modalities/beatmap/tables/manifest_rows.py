"""The rows of the manifest: every difficulty of every upload, included or with the reason why not.

Belongs here: joining the compacted table of difficulties with what is known of uploads, groups, splits, duplicates
and weights. Does not belong here: the files (`manifest`), the rules about one difficulty (`filters`).
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from bgb_assets.modalities.beatmap.features import mel_file
from bgb_assets.modalities.beatmap.formats.naming import safe_name
from bgb_assets.modalities.beatmap.tables.filters import (
    DUPLICATE,
    NO_SCORE_WEIGHT,
    Difficulty,
    FilterParams,
    reason_to_leave_out,
)
from bgb_assets.modalities.beatmap.tables.songs import OFFICIAL, is_auto_generated, own_split, score_of, source_of
from bgb_assets.modalities.contract import Member
from bgb_assets.storage.columns import Codes, run_offsets
from bgb_assets.storage.manifest import SPLIT_CONFLICT, rows_schema
from bgb_assets.storage.pins import Decision, Pins, decide
from bgb_assets.storage.splits import SplitParams, fold_of
from bgb_assets.storage.table_reader import Tables

MODALITY = "beatmap"
_BPM_KEY = ("song_hash", "characteristic", "difficulty")
_STATED = ("characteristic", "difficulty", "song_hash", "beatmap_id", "audio_id", "tempo_id", "status", "nps")
_AUDITED = ("off_grid_share", "timing_ratio", "timing_shift_ms")
_READ = (*_STATED, *_AUDITED, "reason", "requirements", "notes", "bpm_base")
_SAME_NAMED = (*_STATED, "upload", "notes", "bpm")

ROWS = rows_schema(
    {
        "source": pa.string(),
        "characteristic": pa.string(),
        "difficulty": pa.string(),
        "beatmap_id": pa.string(),
        "song_hash": pa.string(),
        "audio_id": pa.string(),
        "tempo_id": pa.string(),
        "status": pa.string(),
        "notes": pa.int32(),
        "nps": pa.float32(),
        "bpm": pa.float64(),
        "seconds": pa.float64(),
        "score": pa.float32(),
        "mel": pa.string(),
        "frames": pa.int32(),
    }
)
"""`mel` is the store-relative path of the mel on the difficulty's own beat grid, "" if there is none; `frames` is its
length. `seconds` is the audio's length, null where its headers do not tell; `score` is null where there is none."""


def read_difficulties(tables: Tables, members: Sequence[Member], stands_for: Mapping[str, str]) -> list[Difficulty]:
    """Return every difficulty of every member, in the order of members, characteristics and ranks.

    Args:
        tables: The compacted tables.
        members: The uploads.
        stands_for: Upload -> the upload whose rows are written for both, for those that share them.
    """
    if "beatmaps" not in tables.names:
        return []
    whole = tables.read("beatmaps", _READ)
    columns = {name: whole.column(name).to_pylist() for name in _READ}
    grouped = tables.grouped("beatmaps", [])
    bounds = grouped.offsets.tolist()
    places = {key: range(bounds[i], bounds[i + 1]) for i, key in enumerate(grouped.uploads)}
    bpm_ranges = _bpm_ranges(tables)
    return [
        _difficulty(member, columns, row, bpm_ranges)
        for member in members
        for row in places.get(stands_for.get(member.key, member.key), ())
    ]


def make_rows(
    difficulties: Sequence[Difficulty],
    members: Mapping[str, Member],
    pins: Pins,
    filters: FilterParams,
    split: SplitParams,
    official_share: float,
) -> tuple[pa.Table, Decision]:
    """Return the rows in the schema `ROWS`, one per difficulty, and the decision about their splits.

    Args:
        difficulties: From `read_difficulties`.
        members: Upload key -> upload.
        pins: What was decided earlier.
        filters: What to leave out.
        split: Shares of the splits.
        official_share: Share of the sampling weight that official songs get among included rows of both kinds.
    """
    groups = [one.audio_id or one.song_hash for one in difficulties]
    own = [own_split(members[one.upload]) for one in difficulties]
    decision = decide(MODALITY, groups, own, pins, split)
    reasons = _reasons(difficulties, decision, filters)
    weights = _weights([members[one.upload] for one in difficulties], reasons, official_share)
    columns: dict[str, Any] = {
        "row_id": list(_row_ids(difficulties)),
        "group": decision.groups,
        "split": decision.splits,
        "fold": [fold_of(MODALITY, group, split) for group in decision.groups],
        "included": [not reason for reason in reasons],
        "reason": reasons,
        "weight": weights,
    }
    for name in ("upload", "characteristic", "difficulty", "beatmap_id", "song_hash", "audio_id", "tempo_id"):
        columns[name] = [getattr(one, name) for one in difficulties]
    for name in ("status", "notes", "nps", "bpm"):
        columns[name] = [getattr(one, name) for one in difficulties]
    joined = [_joined(one, members[one.upload]) for one in difficulties]
    columns |= {
        name: [row[name] for row in joined] for name in ("entry", "source", "seconds", "score", "mel", "frames")
    }
    return pa.table({name: pa.array(columns[name], ROWS.field(name).type) for name in ROWS.names}, ROWS), decision


def _difficulty(
    member: Member,
    columns: Mapping[str, list[Any]],
    row: int,
    bpm_ranges: Mapping[tuple[str, ...], tuple[float, float]],
) -> Difficulty:
    """Return row `row` of the table of difficulties as a difficulty of `member`."""
    values = {name: column[row] for name, column in columns.items()}
    readable = values["beatmap_id"] is not None
    return Difficulty(
        upload=member.key,
        **{name: values[name] for name in (*_STATED, *_AUDITED)},
        flags=frozenset((values["reason"] or "").split(",") if readable else ()),
        requirements=tuple(values["requirements"] or ()),
        notes=values["notes"] or 0,
        bpm=values["bpm_base"],
        bpm_range=bpm_ranges.get(tuple(values[name] for name in _BPM_KEY)),
        auto_generated=is_auto_generated(member),
    )


def _bpm_ranges(tables: Tables) -> dict[tuple[str, ...], tuple[float, float]]:
    """Return (song_hash, characteristic, difficulty) -> least and most beats per minute of the tempo map."""
    if "tempo" not in tables.names:
        return {}
    columns: Mapping[str, Any] = tables.grouped("tempo", [*_BPM_KEY, "bpm"]).columns
    coded: list[Codes] = [columns[name] for name in _BPM_KEY]
    combined = np.zeros(len(coded[0].codes), np.int64)
    for column in coded:
        combined = combined * (len(column.values) + 1) + column.codes
    starts = run_offsets(combined)[:-1]
    least, most = (how.reduceat(columns["bpm"], starts).tolist() for how in (np.minimum, np.maximum))
    names = [[column.values[code] for code in column.codes[starts]] for column in coded]
    return dict(zip(zip(*names, strict=True), zip(least, most, strict=True), strict=True))


def _reasons(difficulties: Sequence[Difficulty], decision: Decision, filters: FilterParams) -> list[str]:
    """Return the reason of each row; of equal difficulties of one recording the first includable one is kept."""
    reasons: list[str] = []
    kept: set[tuple[str | None, ...]] = set()
    for one, group, conflict in zip(difficulties, decision.groups, decision.conflicts, strict=True):
        reason = reason_to_leave_out(one, filters) or (SPLIT_CONFLICT if conflict else "")
        same = (group, one.characteristic, one.difficulty, one.beatmap_id, one.tempo_id)
        if not reason and same in kept and not filters.duplicates:
            reason = DUPLICATE
        if not reason:
            kept.add(same)
        reasons.append(reason)
    return reasons


def _weights(members: Sequence[Member], reasons: Sequence[str], official_share: float) -> list[float]:
    """Return each row's score, scaled so that official songs get their share of the included weight."""
    scores = [score_of(member) for member in members]
    weights = [NO_SCORE_WEIGHT if score is None else score for score in scores]
    official = [source_of(member) == OFFICIAL for member in members]
    mass = {True: 0.0, False: 0.0}
    for weight, kind, reason in zip(weights, official, reasons, strict=True):
        mass[kind] += 0.0 if reason else weight
    if not (mass[True] and mass[False]) or official_share >= 1:
        return weights
    factor = official_share / (1 - official_share) * mass[False] / mass[True]
    return [weight * factor if kind else weight for weight, kind in zip(weights, official, strict=True)]


def _row_ids(difficulties: Sequence[Difficulty]) -> Iterator[str]:
    """Yield `<upload>/<characteristic>.<difficulty>`, with `#2` and so on where Info names one more than once."""
    seen: Counter[str] = Counter()
    for one in difficulties:
        name = f"{one.upload}/{safe_name(one.characteristic)}.{one.difficulty}"
        seen[name] += 1
        yield name if seen[name] == 1 else f"{name}#{seen[name]}"


def _joined(one: Difficulty, member: Member) -> Mapping[str, Any]:
    """Return what the upload and its entries say: places, length and score."""
    features = member.entries["features"]
    frames = None if features.absent else features.metadata["rows"].get(one.tempo_id)
    return {
        "entry": member.entries["notes"].location,
        "source": source_of(member),
        "seconds": member.entries["raw"].metadata.get("audio_seconds"),
        "score": score_of(member),
        "mel": f"{features.location}/{mel_file(one.tempo_id)}" if frames and one.tempo_id else "",
        "frames": frames,
    }
