"""Writes a made-up map as the game's files: Info and one file per difficulty, schema 2 or 3.

Belongs here: the JSON of these two schemas as an editor writes it. It is a second hand, on purpose apart from
`export.py`: files that the exporter did not write test the parsers. Does not belong here: what is in the map.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bgb_assets.modalities.beatmap.synthetic.synth_map import Map, Note
from bgb_assets.modalities.beatmap.synthetic.synth_score import Score

AUDIO_FILE = "song.egg"
AUTHOR = "bgb_assets synth"

_RANKS = {"Easy": 1, "Normal": 3, "Hard": 5, "Expert": 7, "ExpertPlus": 9}
_JUMP_SPEEDS = {"Easy": 10, "Normal": 10, "Hard": 12, "Expert": 16, "ExpertPlus": 18}
_V2_TEMPO_EVENT = 100
_BOMB_TYPE = 3


def write_map(folder: Path, title: str, score: Score, maps: Mapping[str, Map], major_version: int) -> None:
    """Write `Info.dat` and `<Difficulty>Standard.dat` for each map; the audio is not written."""
    for difficulty, drawn in maps.items():
        document = _v2(score, drawn) if major_version == 2 else _v3(score, drawn)
        _write(folder / f"{difficulty}Standard.dat", document)
    _write(folder / "Info.dat", _info(title, score, maps))


def _write(path: Path, document: Any) -> None:
    path.write_text(json.dumps(document, separators=(",", ":")), encoding="utf-8")


def _info(title: str, score: Score, maps: Mapping[str, Map]) -> dict[str, Any]:
    difficulties = [
        {
            "_difficulty": difficulty,
            "_difficultyRank": _RANKS[difficulty],
            "_beatmapFilename": f"{difficulty}Standard.dat",
            "_noteJumpMovementSpeed": _JUMP_SPEEDS[difficulty],
            "_noteJumpStartBeatOffset": 0,
        }
        for difficulty in maps
    ]
    return {
        "_version": "2.1.0",
        "_songName": title,
        "_songSubName": "",
        "_songAuthorName": AUTHOR,
        "_levelAuthorName": AUTHOR,
        "_beatsPerMinute": score.bpm,
        "_shuffle": 0,
        "_shufflePeriod": 0.5,
        "_previewStartTime": 5,
        "_previewDuration": 10,
        "_songFilename": AUDIO_FILE,
        "_coverImageFilename": "",
        "_environmentName": "DefaultEnvironment",
        "_songTimeOffset": 0,
        "_customData": {"synthetic": True},
        "_difficultyBeatmapSets": [
            {"_beatmapCharacteristicName": "Standard", "_difficultyBeatmaps": difficulties},
        ],
    }


def _beat(value: float) -> float:
    """Round like an editor: a third becomes 0.33333."""
    return round(value, 5)


def _v2(score: Score, drawn: Map) -> dict[str, Any]:
    notes = [_v2_note(note, note.hand) for note in drawn.notes]
    notes += [_v2_note(bomb, _BOMB_TYPE) for bomb in drawn.bombs]
    return {
        "_version": "2.6.0",
        "_notes": sorted(notes, key=lambda note: note["_time"]),
        "_obstacles": [
            {"_time": _beat(wall.beat), "_lineIndex": wall.x, "_type": 0, "_duration": wall.beats, "_width": 1}
            for wall in drawn.walls
        ],
        "_sliders": [_v2_arc(head, tail) for head, tail in drawn.arcs],
        "_events": [
            {"_time": beat, "_type": _V2_TEMPO_EVENT, "_value": 0, "_floatValue": bpm} for beat, bpm in score.changes
        ],
        "_waypoints": [],
    }


def _v2_note(note: Note, kind: int) -> dict[str, Any]:
    return {
        "_time": _beat(note.beat),
        "_lineIndex": note.x,
        "_lineLayer": note.y,
        "_type": kind,
        "_cutDirection": note.cut,
    }


def _v2_arc(head: Note, tail: Note) -> dict[str, Any]:
    ends = {
        f"_{side}{field}": value
        for side, note in (("head", head), ("tail", tail))
        for field, value in (
            ("Time", _beat(note.beat)),
            ("LineIndex", note.x),
            ("LineLayer", note.y),
            ("CutDirection", note.cut),
            ("ControlPointLengthMultiplier", 1),
        )
    }
    return {"_colorType": head.hand, **ends, "_sliderMidAnchorMode": 0}


def _v3(score: Score, drawn: Map) -> dict[str, Any]:
    return {
        "version": "3.3.0",
        "bpmEvents": [{"b": beat, "m": bpm} for beat, bpm in score.changes],
        "rotationEvents": [],
        "colorNotes": [{**_v3_place(note), "c": note.hand, "d": note.cut, "a": 0} for note in drawn.notes],
        "bombNotes": [_v3_place(bomb) for bomb in drawn.bombs],
        "obstacles": [
            {"b": _beat(wall.beat), "d": wall.beats, "x": wall.x, "y": 0, "w": 1, "h": 5} for wall in drawn.walls
        ],
        "sliders": [{**_v3_span(head, tail), "mu": 1, "tc": tail.cut, "tmu": 1, "m": 0} for head, tail in drawn.arcs],
        "burstSliders": [{**_v3_span(head, tail), "sc": 4, "s": 0.8} for head, tail in drawn.chains],
        "waypoints": [],
        "basicBeatmapEvents": [],
        "colorBoostBeatmapEvents": [],
        "useNormalEventsAsCompatibleEvents": True,
    }


def _v3_place(note: Note) -> dict[str, Any]:
    return {"b": _beat(note.beat), "x": note.x, "y": note.y}


def _v3_span(head: Note, tail: Note) -> dict[str, Any]:
    end = {"tb": _beat(tail.beat), "tx": tail.x, "ty": tail.y}
    return {**_v3_place(head), "c": head.hand, "d": head.cut, **end}
