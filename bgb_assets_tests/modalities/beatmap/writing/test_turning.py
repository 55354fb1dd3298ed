import json
from collections import Counter

import pytest

from bgb_assets.modalities.beatmap.formats.identities import beatmap_id
from bgb_assets.modalities.beatmap.formats.objects import checked
from bgb_assets.modalities.beatmap.formats.tempo import tempo_from_events
from bgb_assets.modalities.beatmap.measures.parity import repair_parity
from bgb_assets.modalities.beatmap.writing.export import FORMATS, render_map
from bgb_assets.modalities.beatmap.writing.song_to_write import DifficultyToWrite, SongToWrite
from bgb_assets.modalities.beatmap.writing.turning import turned_document
from bgb_assets_tests.modalities.beatmap.map_files import difficulty_v3, parsed
from bgb_assets_tests.modalities.beatmap.objects_case import random_objects

STEADY = tempo_from_events(120, [], []).tempo


def document_of(objects, format_):
    song = SongToWrite("x", STEADY, (DifficultyToWrite("Standard", "Hard", objects),))
    return json.loads(render_map(song, format_, lossy=True).files["HardStandard.dat"])


def repaired(document):
    """Return a document that was read, mended and turned, with what it should then hold."""
    read = parsed(document)
    objects = read.parsed.objects
    after = repair_parity(objects, STEADY.time(objects["notes"]["beat"]))
    wanted = {kind: checked(kind, columns, Counter()) for kind, columns in after.objects.items()}
    return turned_document(document, read.version, objects, after.objects), wanted, after.changed


@pytest.mark.parametrize("format_", FORMATS)
def test_a_turned_file_holds_the_repaired_objects(format_):
    for seed in range(8):
        document = document_of(random_objects(seed, wild=seed % 2 == 0), format_)
        turned, wanted, changed = repaired(document)
        assert changed > 0
        assert beatmap_id(parsed(turned).parsed.objects) == beatmap_id(wanted)


@pytest.mark.parametrize("format_", FORMATS)
def test_rows_stay_in_place_with_all_they_hold(format_):
    document = document_of(random_objects(3), format_)
    name = "_notes" if format_ == "v2" else "colorNotes"
    for number, row in enumerate(document[name]):
        row["customData"] = {"color": [number, 0, 0]}
    document["something"] = {"of": "its own"}
    turned, _, changed = repaired(document)
    assert [row["customData"] for row in turned[name]] == [row["customData"] for row in document[name]]
    direction = {"v2": ("_cutDirection",), "v3": ("d", "a"), "v4": ("i",)}[format_]
    differ = [(old, new) for old, new in zip(document[name], turned[name], strict=True) if old != new]
    assert len(differ) == changed
    for old, new in differ:
        assert {key for key in old | new if old.get(key) != new.get(key)} <= set(direction)
    untouched = set(document) - {name, "_sliders", "sliders", "burstSliders", "arcs", "chains", "colorNotesData"}
    assert {key: turned[key] for key in untouched} == {key: document[key] for key in untouched}


@pytest.mark.parametrize("format_", FORMATS)
def test_heads_and_tails_follow_their_notes(format_):
    place = {"x": 1, "d": 1}
    notes = [{"b": beat, **place} for beat in (8, 9, 10)]
    arcs = [{"b": 9, **place, "tb": 20, "tc": 1}, {"b": 2, **place, "tb": 9, "tx": 1, "tc": 1}]
    chains = [] if format_ == "v2" else [{"b": 9, **place, "tb": 10, "tx": 2, "sc": 3}]
    objects = parsed(difficulty_v3(*notes, sliders=arcs, burstSliders=chains)).parsed.objects
    turned, wanted, changed = repaired(document_of(objects, format_))
    again = parsed(turned).parsed.objects
    assert beatmap_id(again) == beatmap_id(wanted)
    cut = again["notes"]["cut_direction"][1]
    assert (changed, cut != 1) == (1, True)
    assert again["arcs"]["cut"].tolist() == [1, cut]
    assert again["arcs"]["tail_cut"].tolist() == [cut, 1]
    assert again["chains"]["cut"].tolist() == [cut] * len(chains)


def test_collections_under_content_stay_there():
    flat = document_of(random_objects(5), "v4")
    wrapped = {"version": flat.pop("version"), "content": flat}
    turned, wanted, _ = repaired(wrapped)
    assert set(turned) == {"version", "content"}
    assert beatmap_id(parsed(turned).parsed.objects) == beatmap_id(wanted)
    assert turned["content"]["colorNotesData"][: len(flat["colorNotesData"])] == flat["colorNotesData"]


def test_fakes_beside_a_turned_note_stay():
    note = {"b": 9, "x": 1, "d": 1}
    fake = {**note, "customData": {"uninteractable": True}}
    document = difficulty_v3({"b": 8, "x": 1, "d": 1}, note, fake, {"b": 10, "x": 1, "d": 1})
    turned, _, changed = repaired(document)
    assert changed == 1
    assert turned["colorNotes"][1]["d"] != 1
    assert turned["colorNotes"][2] == fake


def test_a_file_without_violations_is_equal():
    document = difficulty_v3({"b": 8, "x": 1, "d": 1}, {"b": 9, "x": 1})
    turned, _, changed = repaired(document)
    assert (turned, changed) == (document, 0)
