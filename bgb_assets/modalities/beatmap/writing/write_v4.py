"""Writes a difficulty as version 4.0.0 (4.1.0 with jump speed events), and the audio data that holds its tempo.

Belongs here: rows that point into shared data, and regions of audio samples.
Does not belong here: light shows, which are files of their own (`write_lights`), Info and the archive (`export`).
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from bgb_assets.modalities.beatmap.formats.objects import Columns, Objects, count
from bgb_assets.modalities.beatmap.formats.tempo import TempoMap
from bgb_assets.modalities.beatmap.writing.write_rows import SharedRows, rows_of, with_fake_mark

VERSION = "4.0.0"
NJS_VERSION = "4.1.0"


def difficulty_v4(objects: Objects) -> dict[str, Any]:
    """Return the JSON value of a difficulty."""
    notes_data, arcs_data, chains_data = SharedRows(), SharedRows(), SharedRows()
    bombs_data, walls_data, njs_data, rotations_data = SharedRows(), SharedRows(), SharedRows(), SharedRows()
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
        tempo: A tempo map; pieces that do not join leave the same gaps between regions.
        last_beat: The last region reaches at least there, so that no object depends on its rounded rate.
        frequency_hz: Samples per second.
        frames: Length of the audio in samples, or None.
    """
    audio_end_beat = float(tempo.beat((frames or 0) / frequency_hz))
    end_beat = float(math.ceil(max(last_beat, audio_end_beat, float(tempo.beats[-1]) + 1.0)))
    regions = _regions(tempo, end_beat, frequency_hz) if tempo.regular else _apart(tempo, end_beat, frequency_hz)
    return {
        "version": VERSION,
        "songChecksum": "",
        "songSampleCount": regions[-1]["ei"] if frames is None else frames,
        "songFrequency": frequency_hz,
        "bpmData": regions,
        "lufsData": [],
    }


def _regions(tempo: TempoMap, end_beat: float, frequency_hz: int) -> list[dict[str, Any]]:
    borders_beat = [*tempo.beats.tolist(), end_beat]
    samples = [round(second * frequency_hz) for second in tempo.time(borders_beat).tolist()]
    return [
        {"si": samples[index], "ei": samples[index + 1], "sb": borders_beat[index], "eb": borders_beat[index + 1]}
        for index in range(len(samples) - 1)
    ]


def _apart(tempo: TempoMap, end_beat: float, frequency_hz: int) -> list[dict[str, Any]]:
    """Return regions each of which ends where its own tempo takes it, not where the next begins."""
    ends_beat = np.append(tempo.beats[1:], end_beat)
    ends_s = tempo.seconds + (ends_beat - tempo.beats) * 60.0 / tempo.bpms
    rows = zip(tempo.seconds.tolist(), ends_s.tolist(), tempo.beats.tolist(), ends_beat.tolist(), strict=True)
    return [
        {"si": round(start_s * frequency_hz), "ei": round(end_s * frequency_hz), "sb": start, "eb": end}
        for start_s, end_s, start, end in rows
    ]


def _indexed(columns: Columns, shared: SharedRows, fields: Mapping[str, str]) -> list[dict[str, Any]]:
    indices = shared.indices(rows_of(columns, fields))
    rows = [{"b": beat, "r": 0, "i": index} for beat, index in zip(columns["beat"].tolist(), indices, strict=True)]
    return with_fake_mark(rows, columns)


def _events(columns: Columns, shared: SharedRows, fields: Mapping[str, str]) -> list[dict[str, Any]]:
    indices = shared.indices(rows_of(columns, fields))
    return [{"b": beat, "i": index} for beat, index in zip(columns["beat"].tolist(), indices, strict=True)]


def _arcs(arcs: Columns, notes_data: SharedRows, arcs_data: SharedRows) -> list[dict[str, Any]]:
    rows = rows_of(arcs, {"beat": "hb", "tail_beat": "tb"})
    tails = _note_data(arcs, {"tail_x": "x", "tail_y": "y", "color": "c", "tail_cut": "d"})
    heads_at, tails_at = notes_data.indices(_heads(arcs)), notes_data.indices(tails)
    shapes_at = arcs_data.indices(rows_of(arcs, {"mult": "m", "tail_mult": "tm", "mid_anchor": "a"}))
    return [
        {**row, "hr": 0, "tr": 0, "hi": head, "ti": tail, "ai": shape}
        for row, head, tail, shape in zip(rows, heads_at, tails_at, shapes_at, strict=True)
    ]


def _chains(chains: Columns, notes_data: SharedRows, chains_data: SharedRows) -> list[dict[str, Any]]:
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
