"""Writes a difficulty as version 4.0.0 (4.1.0 with jump speed events), and the audio data that holds its tempo.

Belongs here: rows that point into shared data, and regions of audio samples.
Does not belong here: Info and the archive (`export`).
"""

import math
from collections.abc import Mapping
from typing import Any

from bgb_assets.modalities.beatmap.objects import Columns, Objects, count
from bgb_assets.modalities.beatmap.tempo import TempoMap
from bgb_assets.modalities.beatmap.write_rows import rows_of, with_fake_mark

VERSION = "4.0.0"
NJS_VERSION = "4.1.0"
LIGHTSHOW: Mapping[str, Any] = {
    "version": VERSION,
    **{
        name: []
        for name in (
            "waypoints",
            "waypointsData",
            "basicEvents",
            "basicEventsData",
            "colorBoostEvents",
            "colorBoostEventsData",
            "eventBoxGroups",
            "indexFilters",
            "lightColorEventBoxes",
            "lightColorEvents",
            "lightRotationEventBoxes",
            "lightRotationEvents",
            "lightTranslationEventBoxes",
            "lightTranslationEvents",
            "fxEventBoxes",
            "floatFxEvents",
        )
    },
    "basicEventTypesWithKeywords": {"d": []},
    "useNormalEventsAsCompatibleEvents": False,
}
"""An empty light show."""


def difficulty_v4(objects: Objects) -> dict[str, Any]:
    """Return the JSON value of a difficulty."""
    notes_data, arcs_data, chains_data = _Shared(), _Shared(), _Shared()
    bombs_data, walls_data, njs_data, rotations_data = _Shared(), _Shared(), _Shared(), _Shared()
    document = {
        "version": NJS_VERSION if count(objects["njs"]) else VERSION,
        "colorNotes": _indexed(
            objects["notes"],
            notes_data,
            {"x": "x", "y": "y", "color": "c", "cut_direction": "d", "angle_deg": "a"},
        ),
        "bombNotes": _indexed(objects["bombs"], bombs_data, {"x": "x", "y": "y"}),
        "obstacles": _indexed(
            objects["walls"], walls_data, {"duration_beats": "d", "x": "x", "y": "y", "width": "w", "height": "h"}
        ),
        "arcs": _arcs(objects["arcs"], notes_data, arcs_data),
        "chains": _chains(objects["chains"], notes_data, chains_data),
        "njsEvents": _events(objects["njs"], njs_data, {"delta": "d", "easing": "e", "extend": "p"}),
        "spawnRotations": _events(objects["rotations"], rotations_data, {"late": "t", "degrees": "r"}),
    }
    data = {
        "colorNotesData": notes_data,
        "bombNotesData": bombs_data,
        "obstaclesData": walls_data,
        "arcsData": arcs_data,
        "chainsData": chains_data,
        "njsEventData": njs_data,
        "spawnRotationsData": rotations_data,
    }
    return document | {name: shared.rows for name, shared in data.items()}


def audio_data_v4(tempo: TempoMap, last_beat: float, frequency_hz: int, frames: int | None) -> dict[str, Any]:
    """Return the audio data that ties beats to samples; borders are whole samples, so up to half a sample off.

    Args:
        tempo: A regular tempo map.
        last_beat: The last region reaches at least there, so that no object depends on its rounded rate.
        frequency_hz: Samples per second.
        frames: Length of the audio in samples, or None.
    """
    audio_end_beat = float(tempo.beat((frames or 0) / frequency_hz))
    end_beat = float(math.ceil(max(last_beat, audio_end_beat, float(tempo.beats[-1]) + 1.0)))
    borders_beat = [*tempo.beats.tolist(), end_beat]
    samples = [round(second * frequency_hz) for second in tempo.time(borders_beat).tolist()]
    regions = [
        {"si": samples[index], "ei": samples[index + 1], "sb": borders_beat[index], "eb": borders_beat[index + 1]}
        for index in range(len(samples) - 1)
    ]
    return {
        "version": VERSION,
        "songChecksum": "",
        "songSampleCount": samples[-1] if frames is None else frames,
        "songFrequency": frequency_hz,
        "bpmData": regions,
        "lufsData": [],
    }


class _Shared:
    """A list of distinct data rows; rows are known by their values."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self._index: dict[tuple[Any, ...], int] = {}

    def indices(self, rows: list[dict[str, Any]]) -> list[int]:
        """Return where each row lies in the list, appending the new ones."""
        return [self._place(row) for row in rows]

    def _place(self, row: dict[str, Any]) -> int:
        key = tuple(row.values())
        if key not in self._index:
            self._index[key] = len(self.rows)
            self.rows.append(row)
        return self._index[key]


def _indexed(columns: Columns, shared: _Shared, fields: Mapping[str, str]) -> list[dict[str, Any]]:
    indices = shared.indices(rows_of(columns, fields))
    rows = [{"b": beat, "r": 0, "i": index} for beat, index in zip(columns["beat"].tolist(), indices, strict=True)]
    return with_fake_mark(rows, columns)


def _events(columns: Columns, shared: _Shared, fields: Mapping[str, str]) -> list[dict[str, Any]]:
    indices = shared.indices(rows_of(columns, fields))
    return [{"b": beat, "i": index} for beat, index in zip(columns["beat"].tolist(), indices, strict=True)]


def _arcs(arcs: Columns, notes_data: _Shared, arcs_data: _Shared) -> list[dict[str, Any]]:
    rows = rows_of(arcs, {"beat": "hb", "tail_beat": "tb"})
    tails = _note_data(arcs, {"tail_x": "x", "tail_y": "y", "color": "c", "tail_cut": "d"})
    heads_at, tails_at = notes_data.indices(_heads(arcs)), notes_data.indices(tails)
    shapes_at = arcs_data.indices(rows_of(arcs, {"mult": "m", "tail_mult": "tm", "mid_anchor": "a"}))
    return [
        {**row, "hr": 0, "tr": 0, "hi": head, "ti": tail, "ai": shape}
        for row, head, tail, shape in zip(rows, heads_at, tails_at, shapes_at, strict=True)
    ]


def _chains(chains: Columns, notes_data: _Shared, chains_data: _Shared) -> list[dict[str, Any]]:
    rows = rows_of(chains, {"beat": "hb", "tail_beat": "tb"})
    heads_at = notes_data.indices(_heads(chains))
    shapes = rows_of(chains, {"tail_x": "tx", "tail_y": "ty", "slices": "c", "squish": "s"})
    return [
        {**row, "hr": 0, "tr": 0, "i": head, "ci": shape}
        for row, head, shape in zip(rows, heads_at, chains_data.indices(shapes), strict=True)
    ]


def _heads(columns: Columns) -> list[dict[str, Any]]:
    return _note_data(columns, {"x": "x", "y": "y", "color": "c", "cut": "d"})


def _note_data(columns: Columns, fields: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{**row, "a": 0} for row in rows_of(columns, fields)]
