import logging
import math

import numpy as np
import pytest

from bgb_assets.modalities.eeg.windows.class_ratio import KnowsClassRatio, class_ratio, pos_weight
from bgb_assets.runtime.errors import UsageError


class Knows:
    """No data set of this project, but it knows."""

    seizure_ratio = 0.25
    positive_sample_ratio = 0.1
    counts = {"windows": 4}


class Labelled:
    """Every fourth item holds a seizure; reading one is an error."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, item: int) -> object:
        raise AssertionError("a signal was read")

    def label(self, item: int) -> bool:
        return item % 4 == 0


class Read(Labelled):
    label = None  # type: ignore[assignment]

    def __getitem__(self, item: int) -> object:
        return {"positives": np.array([0, 3 if item % 4 == 0 else 0], np.uint8)}


def test_whatever_knows_is_asked(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert isinstance(Knows(), KnowsClassRatio)
    assert class_ratio(Knows()) == 0.25
    assert caplog.messages == [
        "[DATASET] Using Knows known distribution",
        "[DATASET] Seizure ratio: 25.0% (from manifest)",
    ]


@pytest.mark.parametrize("kind", [Labelled, Read])
def test_others_are_sampled_with_an_interval_and_a_warning(kind: type, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    dataset = kind(40_000)
    assert not isinstance(dataset, KnowsClassRatio)
    assert class_ratio(dataset, seed=1) == class_ratio(dataset, seed=1)
    caplog.clear()
    seeds = range(40)
    assert all(0.19 < class_ratio(dataset, seed) < 0.31 for seed in seeds)
    warned = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert all(f"{kind.__name__} does not know its class ratio: estimated from 1000 of 40000" in one for one in warned)
    intervals = [one.split("interval ")[1].replace("%", "").split(" to ") for one in warned]
    assert sum(float(low) < 25 < float(high) for low, high in intervals) >= 0.9 * len(seeds) - 1
    assert all(float(high) - float(low) < 6 for low, high in intervals)


def test_small_data_sets_are_counted_whole() -> None:
    assert class_ratio(Labelled(8)) == 0.25
    with pytest.raises(UsageError, match="empty"):
        class_ratio(Labelled(0))


@pytest.mark.parametrize(
    ("ratio", "weight"),
    [(17_023 / 49_760, 1.3868), (0.2, 2.0), (0.5, 1.0), (0.7, 1.0), (0.0, 1.0), (1.0, 1.0)],
)
def test_weight_of_the_positive_class(ratio: float, weight: float) -> None:
    assert round(pos_weight(ratio), 4) == weight
    assert pos_weight(0.1) == math.sqrt(9)
