import json
import shutil

import numpy as np
import pytest

from bgb_assets.modalities.beatmap.formats.song import read_song
from bgb_assets.modalities.beatmap.measures.quality import played
from bgb_assets.modalities.beatmap.measures.variety import note_histogram, total_variation
from bgb_assets.modalities.beatmap.tables.filters import FilterParams
from bgb_assets.modalities.beatmap.tables.manifest_params import ManifestParams
from bgb_assets.modalities.beatmap.tables.training_notes import training_notes
from bgb_assets.runtime.errors import StoreError, UsageError
from bgb_assets.storage.splits import SplitParams
from bgb_assets_tests.fixtures import REPOSITORY
from bgb_assets_tests.modalities.beatmap.map_files import simple_map
from bgb_assets_tests.modalities.beatmap.songs_case import Store

SAMPLES = REPOSITORY / "data" / "samples" / "beatmap"
KEYS = ("song_0000", "song_0001")
ALL_TRAIN = SplitParams(val=0.0, test=0.0)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("store"))
    for key in KEYS:
        # Without audio: the note tables are the same, and nothing is decoded.
        folder = store.root / "inbox" / key
        shutil.copytree(SAMPLES / key, folder, ignore=shutil.ignore_patterns("*.egg"))
        store.add(key, folder)
    return store


def manifest(store, **changed):
    filters = FilterParams(audio=False, **changed)
    return store.manifest(ManifestParams(filters, split=ALL_TRAIN))[0]


def counted(*keys, difficulties=None):
    """Count the notes straight from the map files."""
    songs = [read_song(SAMPLES / key) for key in keys]
    chosen = [
        one for song in songs for one in song.readable if one.info.difficulty in (difficulties or one.info.difficulty)
    ]
    return np.sum([note_histogram(played(one.parsed.objects["notes"])) for one in chosen], axis=0)


def test_the_notes_are_those_of_the_maps(store):
    found = training_notes(manifest(store), store.root)
    assert found.sum() > 100
    assert found.tolist() == counted(*KEYS).tolist()


def test_only_included_training_rows_count(store):
    found = training_notes(manifest(store, difficulties=("Hard",)), store.root)
    assert found.tolist() == counted(*KEYS, difficulties=("Hard",)).tolist()
    assert found.sum() < counted(*KEYS).sum()
    held_out = store.manifest(ManifestParams(FilterParams(audio=False), split=SplitParams(val=0.0, test=1.0)))[0]
    assert training_notes(held_out, store.root).sum() == 0


def test_a_map_of_the_training_is_nearer_than_one_of_a_single_note(store):
    found = training_notes(manifest(store), store.root)
    one_class = np.zeros_like(found)
    one_class[found.argmin()] = 1
    assert total_variation(counted(KEYS[0]), found) < total_variation(one_class, found)


def test_no_manifest_and_a_missing_file_are_said(store, tmp_path):
    with pytest.raises(UsageError, match=r"no tables\.json"):
        training_notes(tmp_path, store.root)
    out = manifest(store)
    copy = tmp_path / "manifest"
    shutil.copytree(out, copy)
    listing = json.loads((copy / "tables.json").read_bytes())
    for file in listing["tables"]["notes"]:
        file["location"] = "manifest/beatmap/00/gone"
    (copy / "tables.json").write_text(json.dumps(listing))
    with pytest.raises(StoreError, match="listed but missing"):
        training_notes(copy, store.root)


def test_fakes_are_no_notes_to_learn_from(tmp_path):
    fake = {"b": 60, "x": 3, "customData": {"uninteractable": True}}
    folder = simple_map(tmp_path / "map", *({"b": beat, "x": beat % 2} for beat in range(4, 44)), fake)
    store = Store(tmp_path)
    store.add("map", folder)
    found = training_notes(manifest(store), store.root)
    assert sorted(found[found > 0].tolist()) == [20, 20]
