import shutil

import pytest

from bgb_assets.modalities.beatmap.pictures.report_map import pictures_of_map
from bgb_assets.runtime.errors import BadInput, UnsafeArchive, UsageError
from bgb_assets_tests.fixtures import REPOSITORY, shared_data
from bgb_assets_tests.modalities.beatmap.report_case import drawn_notes, texts

SAMPLE = REPOSITORY / "data" / "samples" / "beatmap" / "song_0001"


def test_a_zip_and_its_folder_have_the_same_pictures(tmp_path):
    shutil.make_archive(str(tmp_path / "map"), "zip", SAMPLE)
    zipped, folder = pictures_of_map(tmp_path / "map.zip"), pictures_of_map(SAMPLE)
    assert list(zipped) == list(folder)
    assert {"features-mel", "notes-mel", "notes-grid", "notes-density"} <= set(zipped)
    assert drawn_notes(zipped["notes-mel"]) == drawn_notes(folder["notes-mel"])
    assert sum(drawn_notes(zipped["notes-mel"]).values()) > 50


def test_what_was_asked_for_is_on_the_density(tmp_path):
    asked = pictures_of_map(SAMPLE, {"Hard": 3.5})["notes-density"]
    assert [text for text in texts(asked) if text.startswith("Standard Hard") and text.endswith("asked 3.5/s")]


@pytest.mark.parametrize("name", ["werewolf_howls", "JOURNEY"])
def test_real_maps_without_audio_have_pictures_of_their_notes(name):
    drawn = pictures_of_map(shared_data("beatmap") / "maps" / name)
    assert set(drawn) == {"notes-notes", "notes-grid", "notes-density"}


def test_what_is_no_map_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no folder and no zip"):
        pictures_of_map(tmp_path / "absent.zip")
    with pytest.raises(BadInput):
        pictures_of_map(tmp_path)
    shutil.make_archive(str(tmp_path / "map"), "zip", SAMPLE)
    whole = (tmp_path / "map.zip").read_bytes()
    (tmp_path / "map.zip").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnsafeArchive):
        pictures_of_map(tmp_path / "map.zip")
