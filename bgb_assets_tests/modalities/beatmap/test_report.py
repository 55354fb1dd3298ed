import io

import numpy as np
import pytest

from bgb_assets.modalities.beatmap import notes
from bgb_assets.modalities.beatmap.report import mel_with_notes, pictures
from bgb_assets_tests.fixtures import REPOSITORY
from bgb_assets_tests.modalities.beatmap.audio_stages import run_song

PNG_MAGIC = b"\x89PNG"


@pytest.fixture(scope="module")
def stages(tmp_path_factory):
    work = tmp_path_factory.mktemp("song")
    folders = dict(run_song(REPOSITORY / "data" / "samples" / "beatmap" / "song_0002", work))
    folders["notes"] = work / "notes"
    folders["notes"].mkdir()
    notes.run({"raw": folders["raw"], "features": folders["features"]}, None, folders["notes"])
    return folders


def drawn_bytes(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=60)
    return buffer.getvalue()


@pytest.mark.parametrize(("stage", "names"), [("features", {"mel", "onset"}), ("notes", {"notes", "density"})])
def test_each_stage_has_its_pictures(stages, stage, names):
    figures = pictures(stage, stages[stage])
    assert set(figures) == names
    for figure in figures.values():
        assert drawn_bytes(figure).startswith(PNG_MAGIC)


def test_other_stages_have_none(stages):
    assert pictures("raw", stages["raw"]) == {}


def test_every_note_is_drawn_once_in_the_color_of_its_hand(stages):
    figure = mel_with_notes(stages["features"], stages["notes"])
    (axes,) = figure.axes
    left, right = (handle for handle in axes.collections if handle.get_label() in ("left", "right"))
    title = axes.get_title()
    assert title == "Standard Expert on the mel spectrogram"
    assert len(left.get_offsets()) + len(right.get_offsets()) == 123
    assert not np.allclose(left.get_facecolor(), right.get_facecolor())
    assert drawn_bytes(figure).startswith(PNG_MAGIC)


def test_strips_hold_all_notes_of_the_densest_difficulty(stages):
    figure = pictures("notes", stages["notes"])["notes"]
    drawn = sum(
        len(handle.get_offsets())
        for axes in figure.axes
        for handle in axes.collections
        if handle.get_label() in ("left", "right")
    )
    assert drawn == 123
    assert len(figure.axes) > 1


def test_a_song_without_notes_has_no_pictures(tmp_path):
    assert pictures("notes", tmp_path) == {}
