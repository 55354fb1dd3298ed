from pathlib import Path

import pytest

from bgb_assets.modalities.mri.scans.flags import BadScan, Flag
from bgb_assets.modalities.mri.sources.cohort import Asked, Cohort
from bgb_assets.modalities.mri.sources.plan import (
    Origin,
    changed_roles,
    files_of,
    make_plan,
    plan_path,
    read_plan,
    refuse_flagged,
    write_plan,
)
from bgb_assets.modalities.mri.sources.visits import SourceFile, Survey, Visit

ORIGIN = Origin("bids", "/data/ds")


def visit(name: str = "A", image: str = "1", mask: str | None = "1", **other: object) -> Visit:
    files = {"image": SourceFile(f"{name}.nii", 10, image)}
    if mask is not None:
        files["mask"] = SourceFile(f"{name}_mask.nii", 2, mask)
    return Visit(f"sub-{name}", "ses-1", files, mask is not None, **other)  # type: ignore[arg-type]


def plan_of(*visits: Visit, asked: Asked | None = None, origin: Origin = ORIGIN):
    return make_plan(origin, "state", asked or Asked(), Survey(visits, 5, 99))


def test_the_version_names_the_files_that_changed() -> None:
    before, after = (plan_of(visit(mask=mask)).offers[0] for mask in ("1", "2"))
    assert changed_roles(after, before.version) == ["mask"]
    assert changed_roles(after, after.version) == []
    assert changed_roles(after, None) == ["image", "mask"]


def test_the_fingerprint_is_of_source_filter_and_files_alone() -> None:
    first, second = visit("A"), visit("B")
    known = plan_of(first, second).fingerprint
    assert plan_of(second, first).fingerprint == known
    assert make_plan(ORIGIN, "other", Asked(expect=2), Survey((first, second), 1, 1)).fingerprint == known
    others = [
        plan_of(first),
        plan_of(first, visit("B", image="2")),
        plan_of(first, second, asked=Asked(Cohort(include_tse=True))),
        plan_of(first, second, origin=Origin("bids", "/data/ds", "1.0.2")),
    ]
    assert len({known, *(plan.fingerprint for plan in others)}) == 5


def test_a_plan_is_kept_whole(tmp_path: Path) -> None:
    flagged = visit("C", flags=(Flag("unsafe_path", "outside", "x"),))
    plan = plan_of(visit("A", facts={"participant": {"age": "1"}}), flagged)
    path = plan_path(tmp_path, "bids", "/data/ds")
    assert read_plan(path) is None
    write_plan(path, plan)
    assert read_plan(path) == plan
    first = path.read_bytes()
    write_plan(path, plan)
    assert (path.read_bytes(), list(path.parent.iterdir())) == (first, [path])


@pytest.mark.parametrize("held", [b"", b"{", b'{"schema": 0}'])
def test_a_plan_of_another_schema_or_cut_off_is_none(tmp_path: Path, held: bytes) -> None:
    (tmp_path / "x.json").write_bytes(held)
    assert read_plan(tmp_path / "x.json") is None


def test_a_visit_that_cannot_be_used_is_an_offer_without_files() -> None:
    plan = plan_of(visit("A", flags=(Flag("ambiguous_pair", "two", ["x", "y"]),)))
    (offer,) = plan.offers
    assert (plan.selected, files_of(offer)) == ({}, {})
    assert plan.told["refused"] == {"sub-A_ses-1": "ambiguous_pair: two"}
    with pytest.raises(BadScan, match="ambiguous_pair: two"):
        refuse_flagged(offer)


def test_a_visit_that_stands_there_twice_is_ambiguous() -> None:
    plan = plan_of(visit("A"), visit("B"), visit("A", image="2"))
    assert list(plan.selected) == ["bids.sub-B_ses-1"]
    assert "stands there 2 times" in plan.told["refused"]["sub-A_ses-1"]
