"""Stage notes: the objects of one song as Parquet rows, with times in seconds and measures of each difficulty.

Belongs here: the stage, and the row of each difficulty in the table `beatmaps`.
Does not belong here: the schemas (`schemas`), the columns of objects (`note_tables`), the measures (`timing`,
`swings`), and what depends on other songs (`manifest`). Next in the flow: `manifest` compacts all songs' tables.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from bgb_assets.modalities.beatmap.formats.identities import canonical_json
from bgb_assets.modalities.beatmap.formats.objects import PLAYED_KINDS, Objects, count, from_json, in_grid
from bgb_assets.modalities.beatmap.formats.tempo import TempoMap, tempo_from_json
from bgb_assets.modalities.beatmap.measures.swings import count_swings
from bgb_assets.modalities.beatmap.tables.timing import (
    AFTER_AUDIO_S,
    audit_timing,
    notes_per_second,
    off_grid,
    peak_notes_per_second,
)
from bgb_assets.modalities.contract import StageResult

NOTES_AFTER_AUDIO = "notes_after_audio"
_MAX_INT16 = 2**15 - 1


def __getattr__(name: str) -> Any:
    """Return `TABLES`, the schemas, imported when asked for: describing the modality imports no pyarrow."""
    if name == "TABLES":
        from bgb_assets.modalities.beatmap.tables.schemas import TABLES

        return TABLES
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@dataclass(frozen=True)
class NotesParams:
    """Nothing to choose: the tables hold everything that was read."""


@dataclass(frozen=True)
class Onset:
    """The onset strength of the song's audio.

    Attributes:
        strength: One value per STFT frame.
        hop_s: Seconds between frames.
    """

    strength: NDArray[np.float32]
    hop_s: float


def run(inputs: Mapping[str, Path], params: NotesParams | None, out: Path) -> StageResult:
    """Write `<table>.parquet` for every table with rows: one row group, zstd.

    `inputs["raw"]` holds the files of stage raw; `inputs["features"]`, where there is audio, `onset.npy` and
    `features.json`. The facet `notes` digests the columns, so that another Parquet writer changes nothing.
    """
    from bgb_assets.modalities.beatmap.tables.note_tables import TableBuilder, object_tables

    raw = inputs["raw"]
    song = orjson.loads((raw / "song.json").read_bytes())
    tempos = orjson.loads((raw / "tempo.json").read_bytes())["tempo_maps"]
    onset = _read_onset(inputs.get("features"))
    builder = TableBuilder()
    rows = []
    for difficulty in song["difficulties"]:
        row = _stated(song, difficulty)
        if "entry_file" in difficulty:
            objects = from_json(orjson.loads((raw / difficulty["entry_file"]).read_bytes())["objects"])
            tempo = tempo_from_json(tempos[difficulty["tempo_id"]])
            builder.add(row, object_tables(objects, tempo))
            row |= _measured(song, difficulty, objects, tempo, onset)
        rows.append(row)
    builder.write(rows, out)
    facet = hashlib.sha256(canonical_json([builder.digest(), rows])).hexdigest()
    return StageResult(
        facets={"notes": facet}, metadata=_metadata(rows, builder.clamped), warnings=_warnings(builder.clamped)
    )


def _read_onset(features: Path | None) -> Onset | None:
    if features is None or not (features / "onset.npy").is_file():
        return None
    described = orjson.loads((features / "features.json").read_bytes())
    return Onset(np.load(features / "onset.npy", allow_pickle=False), described["hop_s"])


def _stated(song: Mapping[str, Any], difficulty: Mapping[str, Any]) -> dict[str, Any]:
    """Return what stage raw knows; what an unreadable difficulty lacks stays null."""
    audio = song["audio"]
    return {
        "song_hash": song["song_hash"],
        "beatmap_id": difficulty.get("beatmap_id"),
        "characteristic": difficulty["characteristic"],
        "difficulty": difficulty["difficulty"],
        "rank": difficulty["rank"],
        "njs": difficulty["njs"],
        "njo": difficulty["njo"],
        "map_version": difficulty.get("version"),
        "audio_id": audio["audio_id"] if audio else None,
        "tempo_id": difficulty.get("tempo_id"),
        "requirements": difficulty["requirements"],
        "status": difficulty["status"],
        "reason": difficulty["reason"],
    }


def _measured(
    song: Mapping[str, Any], difficulty: Mapping[str, Any], objects: Objects, tempo: TempoMap, onset: Onset | None
) -> dict[str, Any]:
    """Return what only the objects tell; `reason` of a readable difficulty is its flags, joined by commas."""
    notes = objects["notes"]
    times_s = tempo.time(notes["beat"])
    swings = count_swings(notes, times_s)
    flags = [*difficulty["flags"], *([NOTES_AFTER_AUDIO] if _after_audio(song, times_s) else [])]
    return {
        **{kind: count(objects[kind]) for kind in PLAYED_KINDS},
        **_pace(times_s),
        **_timing(times_s[~notes["fake"]], onset),
        "bpm_base": difficulty["base_bpm"],
        "tempo_changes": min(tempo.changes, _MAX_INT16),
        "off_grid_share": float(off_grid(notes["beat"]).mean()) if len(times_s) else None,
        "out_of_grid": sum(int(np.count_nonzero(~in_grid(objects[kind]))) for kind in ("notes", "bombs")),
        "fake": sum(int(np.count_nonzero(objects[kind]["fake"])) for kind in ("notes", "bombs", "walls")),
        "swings": swings.swings,
        "parity_errors": swings.violations,
        "reason": ",".join(sorted(flags)) or None,
    }


def _pace(times_s: NDArray[np.float64]) -> dict[str, float | None]:
    return {
        "first_s": float(times_s.min()) if len(times_s) else None,
        "last_s": float(times_s.max()) if len(times_s) else None,
        "nps": notes_per_second(times_s),
        "peak_nps_4s": peak_notes_per_second(times_s),
    }


def _timing(times_s: NDArray[np.float64], onset: Onset | None) -> dict[str, float | None]:
    audit = audit_timing(times_s, onset.strength, onset.hop_s) if onset else None
    return {
        "timing_shift_ms": audit.shift_ms if audit else None,
        "timing_ratio": audit.ratio if audit else None,
    }


def _after_audio(song: Mapping[str, Any], times_s: NDArray[np.float64]) -> bool:
    seconds = song["audio"]["seconds"] if song["audio"] else None
    return seconds is not None and len(times_s) > 0 and float(times_s.max()) > seconds + AFTER_AUDIO_S


def _metadata(rows: list[dict[str, Any]], clamped: int) -> dict[str, Any]:
    readable = {f"{row['characteristic']} {row['difficulty']}": row for row in rows if row["beatmap_id"]}
    return {
        "difficulties": {name: {kind: row[kind] for kind in PLAYED_KINDS} for name, row in readable.items()},
        "notes": sum(row["notes"] for row in readable.values()),
        "clamped": clamped,
        "timing_ratio": {
            name: row["timing_ratio"] for name, row in readable.items() if row["timing_ratio"] is not None
        },
    }


def _warnings(clamped: int) -> tuple[str, ...]:
    return (f"{clamped} values do not fit into their columns and were clamped",) if clamped else ()
