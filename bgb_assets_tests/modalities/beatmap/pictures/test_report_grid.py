import dataclasses

import numpy as np
import pytest
from matplotlib.patches import Circle, FancyBboxPatch, Polygon, Rectangle, RegularPolygon

from bgb_assets.modalities.beatmap.formats.tempo import TempoMap
from bgb_assets.modalities.beatmap.pictures import report_grid
from bgb_assets.modalities.beatmap.pictures.report_drawing import Drawn, read_difficulties
from bgb_assets.modalities.beatmap.pictures.report_grid import grid_strip, moments_of
from bgb_assets_tests.modalities.beatmap.report_case import song_entries, texts

NO_TEMPO = TempoMap(np.zeros(1), np.zeros(1), np.full(1, 120.0))


def difficulty(notes, bombs=()):
    """A difficulty of (beat, x, y, color, cut) notes and (beat, x, y) bombs, all inside the grid."""
    names = ("beat", "x", "y", "color", "cut_direction")
    columns = {name: np.array([note[at] for note in notes]) for at, name in enumerate(names)}
    columns |= {"angle_deg": np.zeros(len(notes)), "in_grid": np.ones(len(notes), bool)}
    held = {name: np.array([bomb[at] for bomb in bombs]) for at, name in enumerate(names[:3])}
    held["in_grid"] = np.ones(len(bombs), bool)
    return Drawn("Standard", "Hard", "", columns, held if bombs else {}, NO_TEMPO)


def patches(figure, kind):
    return [patch for patch in figure.axes[0].patches if type(patch) is kind]


def test_a_block_is_drawn_in_its_cell_with_its_color_and_cut():
    figure = grid_strip([difficulty([(0.0, 2, 1, 1, 3)])])
    (block,), (arrow,) = patches(figure, FancyBboxPatch), patches(figure, Polygon)
    assert (int(block.get_x()), int(block.get_y())) == (2, 1)
    assert block.get_facecolor()[2] > block.get_facecolor()[0]  # blue, the right hand
    points = arrow.get_xy()[:3] - np.array([2.5, 1.5])
    assert points[np.abs(points).max(axis=1).argmax()] == pytest.approx([0.28, 0.0])  # the tip, to the right
    assert len(patches(figure, Rectangle)) == 12
    assert "0" in texts(figure)


def test_a_note_for_any_direction_is_a_dot_and_a_bomb_is_none_of_a_hand():
    figure = grid_strip([difficulty([(0.0, 0, 0, 0, 8)], [(0.0, 3, 2)])])
    assert len(patches(figure, Circle)) == len(patches(figure, FancyBboxPatch)) == 1
    (bomb,) = patches(figure, RegularPolygon)
    assert bomb.xy == (3.5, 2.5)


def test_notes_at_one_time_share_a_grid_and_all_others_do_not():
    one = difficulty([(1.0, 0, 0, 0, 1), (1.0 + 1e-5, 3, 0, 1, 1), (1.5, 1, 2, 0, 0)], [(2.0, 1, 1)])
    assert moments_of(one) == [1.0, 1.5, 2.0]
    figure = grid_strip([one])
    assert len(patches(figure, Rectangle)) == 3 * 12
    assert len(patches(figure, FancyBboxPatch)) == 3
    assert {"1", "1.5", "2"} <= set(texts(figure))


def test_what_lies_outside_of_the_grid_has_no_cell():
    one = difficulty([(1.0, 0, 0, 0, 1), (2.0, 9, 0, 1, 1)])
    one.notes["in_grid"][1] = False
    assert len(patches(grid_strip([one]), FancyBboxPatch)) == 1


def test_a_sample_is_drawn_whole_or_says_how_much_is_left_out(tmp_path, monkeypatch):
    difficulties = read_difficulties(song_entries(tmp_path)["notes"])
    most = max(difficulties, key=lambda each: each.count)
    assert any("the first 60 of 119 moments" in text for text in texts(grid_strip(difficulties)))
    monkeypatch.setattr(report_grid, "MAX_ROWS", 20)
    figure = grid_strip([dataclasses.replace(most)])
    assert len(patches(figure, FancyBboxPatch)) == most.count
    assert len(patches(figure, RegularPolygon)) == len(most.bombs["beat"])
    assert any("all 119 moments" in text for text in texts(figure))
