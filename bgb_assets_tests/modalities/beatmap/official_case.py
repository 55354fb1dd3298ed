"""A game folder as tests need it: two packs, the bundle of characteristics they point into, and levels.

Levels: `100Bills` (came with the game; v4 files with audio data, Ogg; Standard and OneSaber share difficulty names),
`Crab Rave` (bought; v3 files, WAV, Standard alone) and `Broken` (a note file is missing).
"""

import gzip
import io
import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from bgb_assets.modalities.sources import Offer, Source
from bgb_assets.runtime.errors import BadInput
from bgb_assets_tests.modalities.beatmap.unity_bundles import Bundle, pointer

EXPERT, EXPERT_PLUS = 3, 4
STANDARD, ONE_SABER, UNKNOWN = -7286, -5623, 77
SPEEDS = {
    ("Standard", "Expert"): (16.0, -0.5),
    ("Standard", "ExpertPlus"): (18.5, 0.1),
    ("OneSaber", "Expert"): (12.0, 0.25),
}
BPM, RATE_HZ = 128.3, 22_050
AUDIO_DATA = {
    "version": "4.0.0",
    "songFrequency": RATE_HZ,
    "bpmData": [{"si": 0, "ei": RATE_HZ, "sb": 0, "eb": 2}, {"si": RATE_HZ, "ei": 2 * RATE_HZ, "sb": 2, "eb": 5}],
}
Notes = Sequence[tuple[float, int, int, int, int]]
"""(beat, x, y, color, cut) each."""
NOTES: Mapping[tuple[str, str], Notes] = {
    ("Standard", "Expert"): ((1, 0, 0, 0, 1), (2.5, 3, 2, 1, 0)),
    ("Standard", "ExpertPlus"): ((1, 1, 0, 0, 1), (1, 2, 0, 1, 1), (3, 2, 1, 1, 8)),
    ("OneSaber", "Expert"): ((4, 2, 0, 1, 1),),
}
NUMBERS = {"Expert": EXPERT, "ExpertPlus": EXPERT_PLUS}
SHARED = "Beat Saber_Data/StreamingAssets/aa/StandaloneWindows64"
SHIPPED = "Beat Saber_Data/StreamingAssets/BeatmapLevelsData"
BOUGHT = "DLC/Levels"
FIRST_PACK = f"{SHARED}/ostvol1_pack_assets_all_0123abcd.bundle"
SECOND_PACK = f"{SHARED}/monstercat_pack_assets_all_4567ef.bundle"


def v4_file(notes: Notes) -> dict[str, Any]:
    """A version 4 difficulty with these notes; what is 0 is left out, as the game does."""
    data = [{"x": x, "y": y, "c": color, "d": cut} for _, x, y, color, cut in notes]
    data = [{key: value for key, value in item.items() if value} for item in data]
    return {
        "version": "4.0.0",
        "colorNotes": [{"b": beat, "i": index} for index, (beat, *_) in enumerate(notes)],
        "colorNotesData": data,
    }


def v3_file(notes: Notes) -> dict[str, Any]:
    """A version 3 difficulty with these notes."""
    return {
        "version": "3.3.0",
        "colorNotes": [{"b": beat, "x": x, "y": y, "c": color, "d": cut} for beat, x, y, color, cut in notes],
    }


def gzipped(document: Any, clock_s: int = 1_700_000_000) -> bytes:
    """JSON in gzip with a clock in its header."""
    return gzip.compress(json.dumps(document).encode(), mtime=clock_s)


@cache
def tone(kind: str) -> bytes:
    """A short sound: `OGG` or `WAV`."""
    stream = io.BytesIO()
    subtype = "VORBIS" if kind == "OGG" else "PCM_16"
    samples = 0.5 * np.sin(np.arange(RATE_HZ // 2) / 20)
    soundfile.write(stream, samples, RATE_HZ, format=kind, subtype=subtype)
    return stream.getvalue()


def level_bundle(
    name: str,
    files: Mapping[tuple[str, str], bytes],
    sound: bytes | None = None,
    audio_data: Any = None,
    **changed: Any,
) -> bytes:
    """A level's bundle; `changed` changes fields of its level data."""
    bundle = Bundle(name.lower().replace(" ", ""))
    sets: dict[str, list[dict[str, Any]]] = {}
    for path_id, ((characteristic, difficulty), content) in enumerate(files.items(), 100):
        bundle.text(path_id, f"{name}{difficulty}.beatmap.gz", content)
        entry = {"_difficulty": NUMBERS[difficulty], "_beatmapAsset": pointer(path_id), "_lightshowAsset": pointer(0)}
        sets.setdefault(characteristic, []).append(entry)
    if sound is not None:
        bundle.sound(2, name, sound)
    if audio_data is not None:
        bundle.text(3, f"{name}.audio.gz", gzipped(audio_data))
    fields = {
        "_version": 1,
        "_audioClip": pointer(2 if sound is not None else 0),
        "_audioDataAsset": pointer(3 if audio_data is not None else 0),
        "_difficultyBeatmapSets": [
            {"_beatmapCharacteristicSerializedName": key, "_difficultyBeatmaps": entries}
            for key, entries in sets.items()
        ],
    }
    bundle.behaviour(1, f"{name}BeatmapLevelData", **(fields | changed))
    return bundle.content()


def first_level(clock_s: int = 1_700_000_000, **changed: Any) -> bytes:
    """The bundle of `100Bills`."""
    files = {key: gzipped(v4_file(notes), clock_s) for key, notes in NOTES.items()}
    return level_bundle("100Bills", files, tone("OGG"), AUDIO_DATA, **changed)


def second_level() -> bytes:
    """The bundle of `Crab Rave`."""
    files = {("Standard", "Expert"): gzipped(v3_file(NOTES["Standard", "Expert"]))}
    return level_bundle("CrabRave", files, tone("WAV"))


def broken_level() -> bytes:
    """A bundle whose level names a path id that is not there."""
    entry = {"_difficulty": EXPERT, "_beatmapAsset": pointer(4711)}
    sets = [{"_beatmapCharacteristicSerializedName": "Standard", "_difficultyBeatmaps": [entry]}]
    return level_bundle("Broken", {}, tone("OGG"), _difficultyBeatmapSets=sets)


def speeds_set(path_id: int, speeds: Mapping[str, tuple[float, float]], file_id: int = 1) -> dict[str, Any]:
    """A set of difficulties as a pack describes it."""
    entries = [
        {"_difficulty": NUMBERS[name], "_noteJumpMovementSpeed": speed, "_noteJumpStartBeatOffset": offset}
        for name, (speed, offset) in speeds.items()
    ]
    return {"_beatmapCharacteristic": pointer(path_id, file_id), "_previewDifficultyBeatmaps": entries}


def pack_bundle(name: str, levels: Mapping[str, Mapping[str, Any]], outside: str = "characteristics") -> bytes:
    """A pack's bundle: level id -> fields of its level that are not as usual."""
    bundle = Bundle(name, outside=[outside])
    bundle.behaviour(1, f"{name}BeatmapLevelPack", _packID=name, _levelID="nolevel")
    for path_id, (level_id, changed) in enumerate(levels.items(), 10):
        usual = {
            "_levelID": level_id,
            "_songName": f"The song {level_id}",
            "_songSubName": "feat. none",
            "_songAuthorName": "A band",
            "_levelAuthorName": "A mapper",
            "_beatsPerMinute": BPM,
            "_songDuration": 2.5,
            "_songTimeOffset": 0.0,
            "_previewDifficultyBeatmapSets": [speeds_set(STANDARD, {"Expert": (14.0, 0.0)})],
        }
        bundle.behaviour(path_id, f"{level_id}BeatmapLevel", **(usual | changed))
    return bundle.content()


def first_pack() -> bytes:
    """The pack of `100Bills`, written in other case, of a level that is not installed, and of `Broken`."""
    sets = [
        speeds_set(STANDARD, {difficulty: SPEEDS["Standard", difficulty] for difficulty in NUMBERS}),
        speeds_set(ONE_SABER, {"Expert": SPEEDS["OneSaber", "Expert"]}),
    ]
    levels = {"100Bills": {"_previewDifficultyBeatmapSets": sets}, "NotInstalled": {}, "BROKEN": {}}
    return pack_bundle("ostvol1", levels)


def characteristics() -> bytes:
    """The bundle that packs point into."""
    bundle = Bundle("characteristics")
    bundle.behaviour(STANDARD, "StandardBeatmapCharacteristic", _serializedName="Standard", _sortingOrder=0)
    bundle.behaviour(ONE_SABER, "OneSaberBeatmapCharacteristic", _serializedName="OneSaber", _sortingOrder=1)
    return bundle.content()


def game_folder(root: Path, **more: bytes) -> Path:
    """Write a whole game; `more` are further level bundles that came with it."""
    files = {
        FIRST_PACK: first_pack(),
        SECOND_PACK: pack_bundle("monstercat", {"CrabRave": {"_songName": "Crab Rave"}}),
        f"{SHARED}/shared_assets_all_99.bundle": characteristics(),
        f"{SHIPPED}/100bills": first_level(),
        f"{SHIPPED}/broken": broken_level(),
        f"{BOUGHT}/crabrave/crabrave_ab12.bundle": second_level(),
        "Beat Saber.exe": b"MZ",
        **{f"{SHIPPED}/{name}": content for name, content in more.items()},
    }
    for name, content in files.items():
        put(root, name, content)
    return root


def put(root: Path, name: str, content: bytes) -> Path:
    """Write one file of a game."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def planned(from_source: Source, work: Path) -> dict[str, Offer]:
    """The offers of a source by path."""
    offers = list(from_source.plan({}, work))
    by_path = {offer.path: offer for offer in offers}
    assert len(by_path) == len(offers)
    return by_path


def fetched(from_source: Source, work: Path, out: Path) -> tuple[dict[str, Path], dict[str, BadInput]]:
    """Fetch all that a source offers: folders, and rejections by path."""
    folders: dict[str, Path] = {}
    rejected: dict[str, BadInput] = {}
    for path, offer in planned(from_source, work).items():
        folder = out / path
        folder.mkdir(parents=True)
        try:
            from_source.fetch(offer, work, folder)
            folders[path] = folder
        except BadInput as error:
            rejected[path] = error
    return folders, rejected
