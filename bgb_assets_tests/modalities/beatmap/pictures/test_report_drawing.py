import numpy as np
import pytest

from bgb_assets.modalities.beatmap.pictures.report_drawing import (
    cut_vectors,
    densest,
    inside,
    read_difficulties,
    read_mel,
)
from bgb_assets_tests.modalities.beatmap.report_case import song_entries


@pytest.fixture(scope="module")
def entries(tmp_path_factory):
    return song_entries(tmp_path_factory.mktemp("song"))


def test_difficulties_come_with_their_notes_bombs_and_tempo(entries):
    difficulties = read_difficulties(entries["notes"])
    one = densest(difficulties)
    assert one.name == "Standard Expert"
    assert one.count == 123 == max(each.count for each in difficulties)
    assert len(one.bombs["beat"]) > 0
    np.testing.assert_allclose(one.tempo.time(one.notes["beat"]), one.notes["time_s"], atol=1e-9)
    grid, frames_per_beat = read_mel(entries["features"], one.tempo_id)
    assert grid.shape[1] == 81
    assert len(grid) >= one.notes["beat"].max() * frames_per_beat


def test_an_entry_without_notes_has_no_difficulties(tmp_path):
    assert read_difficulties(tmp_path) == []


@pytest.mark.parametrize(
    ("cut", "angle_deg", "expected"),
    [(0, 0, (0, 1)), (1, 0, (0, -1)), (3, 0, (1, 0)), (5, 0, (0.5**0.5, 0.5**0.5)), (8, 30, (0, 0)), (1, 90, (1, 0))],
)
def test_cuts_point_as_the_game_says_angles_counterclockwise(cut, angle_deg, expected):
    notes = {"cut_direction": np.array([cut]), "angle_deg": np.array([angle_deg])}
    np.testing.assert_allclose(cut_vectors(notes)[0], expected, atol=1e-12)


def test_the_first_moment_is_inside_and_the_last_is_not():
    columns = {"beat": np.array([0.0, 1.0, 2.0]), "x": np.array([5, 6, 7])}
    assert inside(columns, "beat", 0.0, 2.0)["x"].tolist() == [5, 6]
