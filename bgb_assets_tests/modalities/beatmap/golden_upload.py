"""Songs whose bytes no encoder and no sine can change: whole numbers only, audio as WAV.

Belongs here: the uploads of the golden outputs. Does not belong here: the outputs (`golden`).
"""

import json
import struct
import wave
from pathlib import Path
from typing import Any

RATE_HZ = 22_050
SECONDS = 12
BPM = 120
CHANGE = (16, 90)
"""Beat and tempo of the one change."""

CLICK_SAMPLES = 300


def write(out: Path) -> None:
    """Write `song`, a song of versions 2 and 3 with every kind of object, and `mute`, the same without audio."""
    for key in ("song", "mute"):
        folder = out / key
        folder.mkdir(parents=True)
        _write_json(folder / "Info.dat", _info(key))
        _write_json(folder / "HardStandard.dat", _v2())
        _write_json(folder / "ExpertStandard.dat", _v3())
    _write_wav(out / "song" / "song.egg")


def _write_wav(path: Path) -> None:
    samples = [0] * (SECONDS * RATE_HZ)
    at, number = 0, 0
    while at < len(samples):
        for offset in range(min(CLICK_SAMPLES, len(samples) - at)):
            # A falling square wave, of another pitch at each beat.
            high = offset // (5 + number % 7) % 2
            samples[at + offset] = (1 if high else -1) * (20_000 * (CLICK_SAMPLES - offset) // CLICK_SAMPLES)
        number += 1
        at += RATE_HZ * 60 // (BPM if number <= CHANGE[0] else CHANGE[1])
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
        file.writeframes(struct.pack(f"<{len(samples)}h", *samples))


def _info(title: str) -> dict[str, Any]:
    named = [("Hard", 5), ("Expert", 7), ("ExpertPlus", 9)]
    entries = [
        {
            "_difficulty": name,
            "_difficultyRank": rank,
            "_beatmapFilename": f"{name}Standard.dat",
            "_noteJumpMovementSpeed": 10 + rank,
            "_noteJumpStartBeatOffset": 0,
        }
        for name, rank in named
    ]
    return {
        "_version": "2.1.0",
        "_songName": title,
        "_songSubName": "",
        "_songAuthorName": "golden",
        "_levelAuthorName": "golden",
        "_beatsPerMinute": BPM,
        "_shuffle": 0,
        "_songTimeOffset": 0,
        "_songFilename": "song.egg",
        "_difficultyBeatmapSets": [{"_beatmapCharacteristicName": "Standard", "_difficultyBeatmaps": entries}],
    }


def _v2() -> dict[str, Any]:
    notes = [
        {"_time": 2 + k, "_lineIndex": k % 4, "_lineLayer": k % 3, "_type": k % 2, "_cutDirection": k % 9}
        for k in range(18)
    ]
    bombs = [{"_time": 3.5 + k, "_lineIndex": k, "_lineLayer": 0, "_type": 3, "_cutDirection": 0} for k in range(3)]
    return {
        "_version": "2.6.0",
        "_notes": notes + bombs,
        "_obstacles": [{"_time": 4, "_lineIndex": 0, "_type": 0, "_duration": 2, "_width": 1}],
        "_sliders": [],
        "_events": [{"_time": CHANGE[0], "_type": 100, "_value": 0, "_floatValue": CHANGE[1]}],
    }


def _v3() -> dict[str, Any]:
    notes = [
        {"b": round(2 + k / 3, 5), "x": (k + 1) % 4, "y": k % 3, "c": k % 2, "d": k % 8, "a": 0 if k % 5 else 15}
        for k in range(48)
    ]
    arc = {"c": 0, "b": 2, "x": 1, "y": 0, "d": 0, "mu": 1, "tb": 4, "tx": 2, "ty": 1, "tc": 1, "tmu": 1, "m": 0}
    chain = {"c": 1, "b": 6, "x": 3, "y": 0, "d": 1, "tb": 6.5, "tx": 3, "ty": 2, "sc": 4, "s": 0.5}
    return {
        "version": "3.3.0",
        "bpmEvents": [{"b": CHANGE[0], "m": CHANGE[1]}],
        "rotationEvents": [],
        "colorNotes": notes,
        "bombNotes": [{"b": 5.25, "x": 0, "y": 1}],
        "obstacles": [{"b": 8, "d": 1.5, "x": 3, "y": 0, "w": 1, "h": 5}],
        "sliders": [arc],
        "burstSliders": [chain],
    }


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value))
