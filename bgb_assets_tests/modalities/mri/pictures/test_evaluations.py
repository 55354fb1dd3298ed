"""Pictures of an evaluation: both Dice named apart, the worst scans found."""

import numpy as np

from bgb_assets.modalities.mri.measures.per_scan import make_evaluation
from bgb_assets.modalities.mri.pictures.evaluations import (
    WORST,
    dice_page,
    evaluation_pictures,
    worst_scans,
)
from bgb_assets.modalities.mri.pictures.head import Head
from bgb_assets_tests.modalities.mri.measures.scored_case import evaluation, figures, scored
from bgb_assets_tests.modalities.mri.pictures.figure_parts import shown, texts


def head():
    image = np.zeros((20, 22, 24), np.float32)
    image[3:17, 3:19, 3:21] = 1.0
    return Head(image, np.eye(4), image > 2, np.roll(image, 2) > 0.5)


def test_points_are_mean_dice_over_true_volume():
    rows = [scored(0, restart, figures(dice, tp=1500, fn=500)) for restart, dice in ((1, 0.4), (2, 0.6))]
    figure = dice_page(make_evaluation("meshnet-5", "conformed", "d" * 64, rows), voxel_mm3=2.0)
    (points,) = (held.get_offsets() for held in figure.axes[0].collections)
    np.testing.assert_allclose(points, [[4.0, 0.5]])
    said = texts(figure)
    assert "meshnet-5: 1 scans never trained on, conformed grid, restarts averaged" in said
    assert {"lesion Dice: mean 0.500, median 0.500", "macro Dice: mean 0.900, median 0.900"} <= set(said)


def test_every_scan_is_in_both_distributions():
    figure = dice_page(evaluation(scans=24), 1.0)
    counts = [sum(bar.get_height() for bar in held) for held in figure.axes[1].containers]
    assert counts == [24, 24]


def test_the_worst_scans_come_lowest_first():
    made = evaluation(scans=24)
    worst = worst_scans(made)
    assert len(worst) == WORST
    values = [value for _, value in worst]
    assert values == sorted(values)
    assert worst_scans(made, 24)[:WORST] == worst


def test_figures_are_named_and_worst_needs_heads():
    made = evaluation(scans=24)
    assert set(evaluation_pictures(made, 1.0, {})) == {"dice"}
    worst, _ = worst_scans(made)[0]
    drawn = evaluation_pictures(made, 1.0, {worst: head(), "another": head()})
    assert set(drawn) == {"dice", "worst"}
    assert len(shown(drawn["worst"])) == 5
    assert any(text.startswith(f"{worst}: lesion Dice 0.") for text in texts(drawn["worst"]))
    assert evaluation_pictures(make_evaluation("a", "native", "d", []), 1.0, {}) == {}
