import gzip
import hashlib
import json
import struct
from collections import Counter

import numpy as np
import pytest

from bgb_assets.modalities.beatmap.formats.identities import (
    beatmap_id,
    beatsaver_hash,
    canonical_json,
    song_hash,
    tempo_id,
)
from bgb_assets.modalities.beatmap.formats.objects import checked, empty_objects
from bgb_assets.modalities.beatmap.formats.reading import read_json
from bgb_assets.modalities.beatmap.formats.tempo import tempo_from_events, tempo_from_regions
from bgb_assets.modalities.beatmap.formats.versions import unwrapped
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.beatmap.map_files import NOTE_V3, difficulty_v3, parsed


def identity(document):
    return beatmap_id(parsed(document).parsed.objects)


def later_files():
    root = shared_data("beatmap")
    files = [*root.glob("wiki_snippets/beatmap/3*.dat"), *root.glob("wiki_snippets/beatmap/4.0.0.dat")]
    skeletons = (root / "skeletons" / "empty" / name / "Difficulty.dat" for name in ("v3", "v4"))
    return sorted([*files, *skeletons, root / "maps" / "JOURNEY" / "ExpertPlusOneSaber.dat"])


def stripped(value):
    if isinstance(value, dict):
        kept = {key: stripped(item) for key, item in value.items() if item != 0 or isinstance(item, bool)}
        return {key: item for key, item in kept.items() if item not in ([], {})}
    return [stripped(item) for item in value] if isinstance(value, list) else value


def backwards(value, key=""):
    """Return a document with the keys of every object in another order, and the objects of its collections too."""
    if isinstance(value, dict):
        return {key: backwards(item, key) for key, item in reversed(value.items())}
    if not isinstance(value, list):
        return value
    held = [backwards(item) for item in value]
    return held if key.endswith("Data") else held[::-1]  # other objects point into data by place


def wrapped(document):
    """Return a version 4 document with its collections under `content`."""
    flat = unwrapped(document)
    return {"version": flat["version"], "content": {k: v for k, v in flat.items() if k not in ("version", "content")}}


def test_omitted_zeros_and_empty_collections_leave_the_id():
    for file in later_files():
        document = read_json(file, file.name)
        assert stripped(document) != document
        assert identity(stripped(document)) == identity(document), file


def test_gzip_mark_order_line_ends_and_wrapper_leave_the_id(tmp_path):
    for file in later_files():
        document = read_json(file, file.name)
        other = stripped(backwards(document))
        variants = {
            "gzip": gzip.compress(json.dumps(document).encode()),
            "marked": b"\xef\xbb\xbf" + json.dumps(document).encode(),
            "backwards": json.dumps(backwards(document)).encode(),
            "windows": json.dumps(document, indent=4).replace("\n", "\r\n").encode(),
            "all": gzip.compress(b"\xef\xbb\xbf" + json.dumps(other, indent=1).replace("\n", "\r\n").encode()),
        }
        if document["version"].startswith("4"):
            variants["wrapped"] = json.dumps(wrapped(document)).encode()
            variants["flat"] = json.dumps(unwrapped(document)).encode()
        for name, content in variants.items():
            (tmp_path / name).write_bytes(content)
            assert identity(read_json(tmp_path / name, name)) == identity(document), (file, name)


def test_the_id_is_of_the_values_not_of_how_they_are_written():
    whole = identity(difficulty_v3(NOTE_V3))
    assert identity(difficulty_v3(NOTE_V3 | {"b": 10.0, "x": 1.0})) == whole
    assert identity({"_version": "2.2.0", "_notes": [{"_time": 10, "_lineIndex": 1, "_cutDirection": 1}]}) == whole


@pytest.mark.parametrize(
    "changed",
    [{"b": 10.001}, {"x": 2}, {"y": 1}, {"c": 1}, {"d": 0}, {"a": 1}, {"customData": {"uninteractable": True}}],
)
def test_any_field_of_a_note_changes_the_id(changed):
    assert identity(difficulty_v3(NOTE_V3 | changed)) != identity(difficulty_v3(NOTE_V3))


def test_lights_and_custom_data_are_no_part_of_it():
    more = {"basicBeatmapEvents": [{"b": 1, "et": 1}], "customData": {"environment": []}}
    assert identity(difficulty_v3(NOTE_V3 | {"customData": {"color": [1, 0, 0]}}, **more)) == identity(
        difficulty_v3(NOTE_V3)
    )


def test_a_bomb_is_no_note_in_its_place():
    assert identity(difficulty_v3({})) != identity(difficulty_v3(bombNotes=[{}]))


def test_beatmap_id_by_hand():
    note = {"beat": [10.0], "x": [1.0], "cut_direction": [1.0]}
    objects = empty_objects() | {"notes": checked("notes", {k: np.array(v) for k, v in note.items()}, Counter())}
    text = b"beatmap/1notes:1:" + struct.pack("<7d", 10, 1, 0, 0, 1, 0, 0) + b"bombs:0:walls:0:arcs:0:chains:0:"
    assert beatmap_id(objects) == hashlib.sha256(text).hexdigest()


def test_tempo_id_by_hand_and_equal_for_equal_tempi():
    merged = tempo_from_events(120, [4, 8], [120, 60]).tempo
    assert tempo_id(merged) == hashlib.sha256(b"tempo/1" + struct.pack("<4d", 0, 120, 8, 60)).hexdigest()
    regions = tempo_from_regions(1, [[0, 44100 * 4, 0, 8], [44100 * 4, 44100 * 8, 8, 12]], 44100).tempo
    assert tempo_id(regions) == tempo_id(merged)
    assert tempo_id(tempo_from_events(128.3, [], []).tempo) != tempo_id(
        tempo_from_events(float(np.float32(128.3)), [], []).tempo
    )


def test_regions_with_gaps_differ_from_the_joined_ones():
    joined = tempo_from_regions(1, [[0, 100, 0, 2], [100, 200, 2, 4]], 50).tempo
    shifted = tempo_from_regions(1, [[50, 150, 0, 2], [150, 250, 2, 4]], 50).tempo
    assert tempo_id(joined) != tempo_id(shifted)


def test_song_hash_does_not_depend_on_order():
    parts = [("Standard", "Easy", "a", "t"), ("OneSaber", "Easy", "b", "t")]
    assert song_hash("x", parts) == song_hash("x", reversed(parts))
    assert song_hash("x", parts) != song_hash(None, parts) != song_hash(None, parts[:1])


def test_beatsaver_hash_is_over_info_then_difficulties_in_order():
    assert beatsaver_hash(b"info", [b"b", b"a"]) == hashlib.sha1(b"infoba").hexdigest()


def test_canonical_json_is_sorted_and_short():
    assert canonical_json({"b": np.array([1.0, 0.1]), "a": "ä"}) == '{"a":"ä","b":[1.0,0.1]}'.encode()
