"""The curves of a training: what was written to TensorBoard while it ran.

Belongs here: reading them. Does not belong here: writing them (`callbacks`), drawing them (each modality's pictures).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Curve: TypeAlias = tuple[NDArray[np.int64], NDArray[np.float64]]
"""Optimiser steps and values, both (n,)."""


def read_curves(logs: Path) -> Mapping[str, Curve]:
    """Return name (`train/loss`, `validation/loss`, ...) -> curve, all points; none where no logs are.

    What a killed process wrote after its last checkpoint, and the next one wrote again, comes once.
    """
    if not logs.is_dir() or not any(logs.glob("events.out.tfevents.*")):
        return {}
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(logs), size_guidance={"scalars": 0})
    events.Reload()
    curves = {}
    for name in events.Tags()["scalars"]:
        points = events.Scalars(name)
        curves[name] = (np.array([point.step for point in points]), np.array([point.value for point in points]))
    return curves
