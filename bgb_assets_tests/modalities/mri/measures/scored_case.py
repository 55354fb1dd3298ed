"""Evaluations made up of random figures: what tests of their files and averages start from."""

import numpy as np

from bgb_assets.modalities.mri.measures.per_scan import Evaluation, ScoredScan, make_evaluation
from bgb_assets.modalities.mri.measures.scan import ScanFigures


def figures(dice: float, **others: object) -> ScanFigures:
    """Return figures of which only lesion Dice and those named are of interest."""
    held = {"tp": 1, "fp": 1, "fn": 1, "tn": 1, "macro_dice": 0.9, "avd": 0.1, "mcc": 0.5}
    held |= {"lesion_f1": 0.5, "count_difference": 1, "hd95_mm": 3.0}
    return ScanFigures(**{**held, "lesion_dice": dice, **others})


def scored(number: int, restart: int, made: ScanFigures) -> ScoredScan:
    """Return the prediction of scan `number`, two scans a subject, every fifth without acquisition."""
    acquisition = ("space_2x", "space_no_accel", "space_2x", "space_2x", None)[number % 5]
    return ScoredScan(
        f"s{number:03d}", f"p{number // 2:03d}", acquisition, 1 + number % 4, number // 2 % 3, restart, made
    )


def evaluation(variant: str = "a", scans: int = 24, restarts: int = 3, seed: int = 0, shift: float = 0) -> Evaluation:
    """Return an evaluation with random lesion Dice."""
    rng = np.random.default_rng(seed)
    hard = np.random.default_rng(99).uniform(0, 0.8, scans)
    rows = [
        scored(number, restart, figures(float(hard[number] + shift + rng.normal(0, 0.02))))
        for restart in range(42, 42 + restarts)
        for number in range(scans)
    ]
    return make_evaluation(variant, "native", "d" * 64, rows)
