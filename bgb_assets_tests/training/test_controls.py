"""The label-permutation control: what it permutes, and that it sees leaks."""

import numpy as np
import pytest
from numpy.typing import NDArray

from bgb_assets.training.controls import label_permutation_control, permuted_labels


def test_groups_keep_one_label_and_labels_their_number() -> None:
    groups = np.repeat(np.arange(10), [1, 2, 3, 4, 5, 1, 2, 3, 4, 5])
    labels = (groups % 2).astype(np.int64)
    rows = permuted_labels(labels, groups, permutations=30, seed=0)
    assert rows.shape == (30, len(labels))
    for row in rows:
        of_group = [set(row[groups == group].tolist()) for group in range(10)]
        assert all(len(found) == 1 for found in of_group)
        assert sum(found == {1} for found in of_group) == 5
    assert (rows != labels).any()


def test_without_groups_samples_are_permuted_and_a_seed_repeats() -> None:
    labels = np.arange(50)
    rows = permuted_labels(labels, permutations=3, seed=1)
    assert (np.sort(rows, 1) == labels).all()
    assert (rows == permuted_labels(labels, permutations=3, seed=1)).all()
    assert (rows != permuted_labels(labels, permutations=3, seed=2)).any()


def test_a_group_with_two_labels_is_refused() -> None:
    with pytest.raises(ValueError, match="group 'b' has two labels"):
        permuted_labels(np.array([0, 1, 0]), np.array(["a", "b", "b"]), permutations=1, seed=0)


def neighbour_accuracy(features: NDArray[np.float64], groups: NDArray[np.int64], *, grouped: bool) -> object:
    """Return the figure of a one-nearest-neighbour classifier, told whether it may look within a group."""
    distance = ((features[:, None] - features[None]) ** 2).sum(-1)
    distance[np.eye(len(features), dtype=bool)] = np.inf
    if grouped:
        distance[groups[:, None] == groups[None]] = np.inf
    nearest = distance.argmin(1)
    return lambda labels: float((labels[nearest] == labels).mean())


def test_it_tells_a_method_that_recognises_groups_from_one_that_does_not() -> None:
    rng = np.random.default_rng(5)
    groups = np.repeat(np.arange(60), 5)
    features = rng.normal(size=(60, 8))[groups] + 0.01 * rng.normal(size=(300, 8))
    labels = (groups % 2).astype(np.int64)
    leaking, honest = (
        label_permutation_control(neighbour_accuracy(features, groups, grouped=grouped), labels, groups)  # type: ignore[arg-type]
        for grouped in (False, True)
    )
    assert leaking.permuted.mean() > 0.99
    assert abs(honest.permuted.mean() - 0.5) < 0.1


def test_the_p_value_counts_the_observed_among_the_permutations() -> None:
    labels = np.array([0] * 20 + [1] * 20)
    truth = labels.astype(np.float64)
    control = label_permutation_control(lambda y: float((y * truth).sum()), labels, permutations=99)
    assert (control.observed, control.p_value) == (20.0, 0.01)
    assert control.to_json()["permutations"] == 99
    nothing = label_permutation_control(lambda y: 0.0, labels, permutations=9)
    assert nothing.p_value == 1.0


def test_no_permutations_are_refused() -> None:
    with pytest.raises(ValueError, match="needs permutations"):
        label_permutation_control(lambda y: 0.0, np.array([0, 1]), permutations=0)
