import pytest

from bgb_assets.modalities.beatmap.report import pictures, song_pictures
from bgb_assets_tests.modalities.beatmap.report_case import song_entries, texts


@pytest.fixture(scope="module")
def entries(tmp_path_factory):
    return song_entries(tmp_path_factory.mktemp("song"))


@pytest.mark.parametrize(
    ("stage", "names"),
    [("raw", set()), ("features", {"mel", "onset"}), ("notes", {"mel", "notes", "grid", "density"})],
)
def test_each_stage_of_a_song_has_its_pictures(entries, stage, names, tmp_path):
    assert set(pictures(stage, entries, tmp_path)) == names


def test_without_features_the_notes_are_drawn_without_sound(entries, tmp_path):
    alone = {"notes": entries["notes"]}
    assert set(pictures("notes", alone, tmp_path)) == {"notes", "grid", "density"}


def test_a_song_without_notes_has_no_pictures_of_them(tmp_path):
    assert pictures("notes", {"notes": tmp_path}, tmp_path) == {}


def test_what_was_asked_for_is_drawn_beside_the_pace(entries):
    plain, asked = (song_pictures("notes", entries, request)["density"] for request in ({}, {"Expert": 4.0}))
    assert not any("asked" in text for text in texts(plain))
    assert [text for text in texts(asked) if "asked 4/s" in text]
    assert "Density, dashed what was asked for" in texts(asked)
    assert len(asked.axes[0].lines) == len(plain.axes[0].lines) + 1


def test_what_was_asked_for_may_vary(entries):
    asked = {"Expert": ([0.0, 10.0], [3.0, 6.5])}
    figure = song_pictures("notes", entries, asked)["density"]
    assert [text for text in texts(figure) if text.endswith("asked 3 to 6.5/s")]
    (steps,) = (line for line in figure.axes[0].lines if line.get_linestyle() == "--")
    assert steps.get_drawstyle() == "steps-post"
    assert steps.get_xdata()[:2].tolist() == [0.0, 10.0]
    assert steps.get_ydata().tolist() == [3.0, 6.5, 6.5]
