"""Curves of a training, with and without validation."""

import numpy as np

from bgb_assets.modalities.mri.pictures.curves import training_curves
from bgb_assets_tests.modalities.mri.pictures.figure_parts import texts

STEPS = np.arange(10)


def test_losses_and_both_dice_are_drawn():
    names = ("train/loss", "validation/loss", "validation/lesion_dice", "validation/macro_dice", "train/seconds")
    figure = training_curves(dict.fromkeys(names, (STEPS, STEPS / 10)))
    left, right = figure.axes
    assert (len(left.lines), len(right.lines)) == (2, 2)
    assert {"lesion Dice", "macro Dice", "train/loss"} <= set(texts(figure))


def test_without_validation_there_is_the_loss_alone():
    assert len(training_curves({"train/loss": (STEPS, STEPS / 10)}).axes) == 1
    assert training_curves({"train/seconds": (STEPS, STEPS / 10)}) is None
