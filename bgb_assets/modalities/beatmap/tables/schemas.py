"""The columns of the note tables, in order, with their types; units are in the names.

Belongs here: the schemas, one per table. Does not belong here: how rows are made (`notes`) and the table of
songs, which the manifest writes. All tables begin with the same four dictionary columns; entries hold no
source, as it is no content: the manifest joins it.
"""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

NAMES = ("song_hash", "beatmap_id", "characteristic", "difficulty")

_TEXT = pa.dictionary(pa.int32(), pa.string())
_TYPES: Mapping[str, Any] = {
    "f8": pa.float64(),
    "f4": pa.float32(),
    "i1": pa.int8(),
    "i2": pa.int16(),
    "i4": pa.int32(),
    "?": pa.bool_(),
    "text": pa.string(),
    "name": _TEXT,
    "texts": pa.list_(pa.string()),
}

_COLUMNS: Mapping[str, str] = {
    "notes": "bpm f8, beat f8, time_s f8, x i2, y i2, color i1, cut_direction i2, angle_deg i2, in_grid ?, fake ?, "
    "clamped ?",
    "bombs": "beat f8, time_s f8, x i2, y i2, in_grid ?, fake ?",
    "walls": "beat f8, time_s f8, duration_beats f8, end_time_s f8, x i2, y i2, width i2, height i2, fake ?",
    "arcs": "color i1, beat f8, time_s f8, x i2, y i2, cut i2, mult f4, tail_beat f8, tail_time_s f8, tail_x i2, "
    "tail_y i2, tail_cut i2, tail_mult f4, mid_anchor i1",
    "chains": "color i1, beat f8, time_s f8, x i2, y i2, cut i2, tail_beat f8, tail_time_s f8, tail_x i2, tail_y i2, "
    "slices i2, squish f4",
    "tempo": "beat f8, time_s f8, bpm f8",
    "njs": "beat f8, delta f4, easing i1, extend i1",
    "beatmaps": "rank i1, njs f4, njo f4, map_version name, audio_id name, tempo_id name, notes i4, bombs i4, "
    "walls i4, arcs i4, chains i4, first_s f8, last_s f8, nps f4, peak_nps_4s f4, bpm_base f8, tempo_changes i2, "
    "off_grid_share f4, timing_shift_ms f4, timing_ratio f4, out_of_grid i4, fake i4, swings i4, parity_errors i4, "
    "requirements texts, status name, reason text",
}


def _schema(columns: str) -> pa.Schema:
    fields = [pa.field(name, _TEXT) for name in NAMES]
    for column in columns.split(", "):
        name, kind = column.split(" ")
        fields.append(pa.field(name, _TYPES[kind]))
    return pa.schema(fields)


TABLES: Mapping[str, pa.Schema] = {table: _schema(columns) for table, columns in _COLUMNS.items()}
