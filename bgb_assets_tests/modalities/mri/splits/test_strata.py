from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from bgb_assets.modalities.mri.lesions.bins import volume_bin
from bgb_assets.modalities.mri.lesions.counting import count_lesion
from bgb_assets.modalities.mri.scans.volumes import open_voxels
from bgb_assets.modalities.mri.splits.strata import (
    STRATA,
    Candidate,
    neighbour_of,
    require_known_strata,
    sessions_of,
    subject_strata,
)
from bgb_assets.runtime.errors import ConfigError
from bgb_assets.storage.nested_splits import NestedDeal, NestedSplitParams, deal_nested
from bgb_assets.storage.split_files import make_split
from bgb_assets_tests.fixtures import shared_data

PARAMS = NestedSplitParams(strata=STRATA)


def candidate(subject: str, volume_mm3: float, acquisition: str | None = None, session: str = "1") -> Candidate:
    return Candidate(subject, session, volume_mm3, volume_bin(volume_mm3), acquisition)


def dealt(scans: list[Candidate], params: NestedSplitParams = PARAMS, pinned: NestedDeal | None = None) -> NestedDeal:
    strata = subject_strata(scans, params.strata)
    return deal_nested(strata, params, neighbour_of(scans, params.strata), pinned.folds if pinned else None)


@pytest.fixture(scope="module")
def sixty() -> list[Candidate]:
    """The real stroke masks."""
    return [scan_of(path) for path in sorted((shared_data("mri") / "lesymap").glob("*.nii.gz"))]


def scan_of(path: Path) -> Candidate:
    volume = open_voxels(path)
    voxel_mm3 = abs(np.linalg.det(volume.header.affine[:3, :3]))
    return candidate(path.name.partition(".")[0], count_lesion(volume.voxels) * float(voxel_mm3))


def test_real_masks_are_dealt_evenly_by_bin(sixty: list[Candidate]) -> None:
    assert len(sixty) == 60
    bins = {scan.subject: scan.volume_bin for scan in sixty}
    assert Counter(bins.values()) == {1: 15, 2: 15, 3: 15, 4: 15}
    found = dealt(sixty)
    outer = {fold: [name for name, folds in found.folds.items() if folds.outer == fold] for fold in range(3)}
    for fold, names in outer.items():
        assert len(names) == 20
        assert Counter(bins[name] for name in names) == {1: 5, 2: 5, 3: 5, 4: 5}
        inner = [[name for name, folds in found.folds.items() if folds.inner[fold] == one] for one in range(3)]
        assert sorted(map(len, inner)) == [13, 13, 14]
        assert all(set(Counter(bins[name] for name in one).values()) <= {3, 4} for one in inner)
        assert sorted(name for one in inner for name in one) == sorted(set(bins) - set(names))
    assert dealt(sixty[::-1]).folds == found.folds
    assert found.notes == ()


@pytest.mark.parametrize("count", [1, 10])
@pytest.mark.parametrize("volume_mm3", [1_000.0, 60_000.0, 300_000.0])
def test_more_subjects_move_none_of_the_real_ones(sixty: list[Candidate], count: int, volume_mm3: float) -> None:
    before = dealt(sixty)
    new = [candidate(f"new{number:02d}", volume_mm3) for number in range(count)]
    after = dealt([*new, *sixty], pinned=before)
    assert {name: after.folds[name] for name in before.folds} == before.folds
    assert len(after.folds) == 60 + count
    assert max(Counter(after.folds[one.subject].outer for one in new).values()) <= -(-count // 3)


def test_visits_of_a_real_subject_go_together(sixty: list[Candidate]) -> None:
    """Every third subject comes back, with its lesion half as large."""
    again = [candidate(scan.subject, scan.volume_mm3 / 2, session="2") for scan in sixty[::3]]
    assert dealt([*again, *sixty]).folds == dealt(sixty).folds
    assert sessions_of([*again, *sixty])[sixty[0].subject] == ["1", "2"]
    split = make_split("default", PARAMS, dealt([*again, *sixty]), sessions_of([*again, *sixty]))
    assert split.groups[sixty[0].subject].members == ("1", "2")


@pytest.mark.parametrize("rare", [1, 2])
@pytest.mark.parametrize("way", ["merge", "fewer", "pool", "strict"])
def test_small_stratum_of_the_real_masks_is_handled_as_asked(sixty: list[Candidate], rare: int, way: str) -> None:
    scans = [*sixty, *(candidate(f"rare{number}", 60_000.0, "space_2x") for number in range(rare))]
    params = NestedSplitParams(strata=STRATA, rare=way)
    if way == "strict" or (way == "fewer" and rare == 1):
        with pytest.raises(ConfigError, match=f"'volume_bin=2 acquisition=space_2x' has {rare}"):
            dealt(scans, params)
        return
    found = dealt(scans, params)
    assert len(found.notes) == 1
    assert found.outer == (2 if way == "fewer" else 3)
    sizes = Counter(folds.outer for folds in found.folds.values())
    assert max(sizes.values()) - min(sizes.values()) <= 1
    if way == "merge":
        assert found.strata["rare0"] == "volume_bin=2 acquisition=n/a", "the same bin of another acquisition"
    if way == "pool":
        assert set(found.strata.values()) == {"all"}


def test_largest_lesion_counts_whatever_the_order() -> None:
    scans = [
        candidate("a", 10.0, "x", "1"),
        candidate("a", 90_000.0, "y", "2"),
        candidate("b", 0.0, None, "1"),
        candidate("a", 90_000.0, "z", "3"),
    ]
    expected = {"a": "volume_bin=3 acquisition=y", "b": "volume_bin=0 acquisition=n/a"}
    assert subject_strata(scans, STRATA) == subject_strata(scans[::-1], STRATA) == expected
    assert subject_strata(scans, ("volume_bin",)) == {"a": "volume_bin=3", "b": "volume_bin=0"}
    assert subject_strata(scans, ()) == {"a": "", "b": ""}


def test_neighbour_is_the_next_bin_then_the_other_acquisition() -> None:
    volumes_mm3 = {0: 0.0, 1: 1.0, 2: 50_000.0, 3: 100_000.0, 4: 200_000.0}
    scans = [candidate(f"{kind}{one}", volume, kind) for one, volume in volumes_mm3.items() for kind in "xy"]
    neighbour = neighbour_of(scans, STRATA)
    names = {(kind, one): f"volume_bin={one} acquisition={kind}" for one in volumes_mm3 for kind in "xy"}

    def found(of: tuple[str, int], *others: tuple[str, int]) -> str:
        return neighbour(names[of], sorted(names[other] for other in others))

    assert found(("x", 2), ("x", 1), ("x", 3), ("y", 2)) == names["x", 1]
    assert found(("x", 2), ("x", 3), ("y", 2)) == names["x", 3]
    assert found(("x", 2), ("x", 4), ("y", 2), ("y", 3)) == names["y", 2]
    assert found(("x", 2), ("x", 4), ("y", 3)) == names["y", 3]
    assert found(("x", 2), ("x", 4), ("y", 4), ("y", 0)) == names["x", 4]


def test_strata_are_of_known_columns() -> None:
    require_known_strata(STRATA)
    require_known_strata(())
    with pytest.raises(ConfigError, match="strata must be of"):
        require_known_strata(("wab_type",))
