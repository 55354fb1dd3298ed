from typing import Any

import pytest

from bgb_assets.modalities.mri.cohort.scans import Scan, grid_of, judge, same_images
from bgb_assets.modalities.mri.manifest_params import CohortParams
from bgb_assets.runtime.errors import ConfigError

VOLUME = {"shape": [4, 4, 4], "zoom_mm": 1.0, "interpolation": "linear", "normalise": "minmax", "store": "f16"}
NOTED = {
    "subject_id": "a",
    "session_id": "1",
    "modality": "T2w",
    "acquisition": "space_2x",
    "image_volume_digest": "i",
    "mask_volume_digest": "m",
    "lesion_volume_mm3": 10.0,
    "volume_bin": 1,
}


def scan(key: str, volume: dict[str, Any] | None = None, **noted: Any) -> Scan:
    return Scan(key, NOTED | {"image_volume_digest": key} | noted, "place", "identity", "digest", volume or VOLUME)


@pytest.mark.parametrize(
    ("noted", "status", "reason"),
    [
        ({}, "trainable", ""),
        ({"acquisition": None}, "trainable", ""),
        ({"acquisition": "turbo_spin_echo"}, "trainable", "excluded_acquisition"),
        ({"acquisition": "tse3"}, "trainable", ""),
        ({"modality": "FLAIR"}, "trainable", "other_modality"),
        ({"mask_volume_digest": None}, "no_mask", "no_mask"),
        ({"image_volume_digest": None}, "mask_only", "mask_only"),
    ],
)
def test_scan_is_judged_by_its_facts(noted: dict[str, Any], status: str, reason: str) -> None:
    (found,) = judge([scan("one", **noted)], CohortParams())
    assert (found.status, found.reason) == (status, reason)


def test_masks_without_an_image_share_none() -> None:
    scans = [scan(name, subject_id=name, image_volume_digest=None) for name in "ab"]
    assert [one.status for one in judge(scans, CohortParams())] == ["mask_only", "mask_only"]
    assert same_images(scans) == []


def test_image_of_two_subjects_is_rejected_under_both_even_without_a_mask() -> None:
    scans = [
        scan("one", subject_id="a", image_volume_digest="same"),
        scan("two", subject_id="b", image_volume_digest="same", mask_volume_digest=None),
        scan("three", subject_id="c"),
    ]
    assert [one.status for one in judge(scans, CohortParams())] == ["quarantined", "quarantined", "trainable"]
    assert same_images(scans) == [("one", "two")]


def test_what_names_nobody_is_a_group_of_its_own() -> None:
    found = scan("key", subject_id=None, session_id=None)
    assert (found.subject, found.session) == ("key", "key")


def test_features_of_scans_that_train_lie_on_one_grid() -> None:
    flair = scan("three", VOLUME | {"shape": [5, 5, 5]}, modality="FLAIR")
    judged = judge([scan("one"), scan("two"), flair], CohortParams())
    assert grid_of(judged) == VOLUME
    assert grid_of([]) == {}
    other = judge([scan("one"), scan("two", VOLUME | {"zoom_mm": 2.0})], CohortParams())
    with pytest.raises(ConfigError, match=r"one zoom_mm, 'one' has 1\.0 and 'two' 2\.0; remove what overrides it"):
        grid_of(other)
