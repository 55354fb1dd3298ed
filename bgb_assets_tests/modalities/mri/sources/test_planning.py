from dataclasses import replace
from pathlib import Path

import pytest

from bgb_assets.modalities.mri.sources.cohort import Asked, Cohort
from bgb_assets.modalities.mri.sources.plan import Origin
from bgb_assets.modalities.mri.sources.planning import planned_offers
from bgb_assets.modalities.mri.sources.visits import SourceFile, Survey, Visit
from bgb_assets.modalities.sources import Offer
from bgb_assets.runtime.errors import SourceError
from bgb_assets_tests.modalities.mri.sources.source_case import lines_of, versions


def survey(**masks: str) -> Survey:
    """One visit for each subject: the version of its mask."""
    visits = [
        Visit(
            f"sub-{name}",
            None,
            {"image": SourceFile(f"{name}.nii", 100, "1"), "mask": SourceFile(f"{name}_mask.nii", 7, mask)},
            True,
        )
        for name, mask in masks.items()
    ]
    return Survey(tuple(visits), 2 * len(visits), 1000)


class Looks:
    """A source whose look is counted."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self.n = 0

    def plan(
        self,
        found: Survey,
        state: str = "1",
        *,
        asked: Asked | None = None,
        origin: Origin | None = None,
        held: dict[str, str] | None = None,
    ) -> dict[str, Offer]:
        def look() -> Survey:
            self.n += 1
            return found

        origin = origin or Origin("bids", "/data/ds", root="/data/ds")
        offers = planned_offers(origin, state, asked or Asked(), look, held or {}, self.work)
        return {offer.path: offer for offer in offers}


@pytest.fixture
def looks(tmp_path: Path, caplog) -> Looks:
    caplog.set_level("INFO")
    return Looks(tmp_path)


def test_the_same_state_and_filter_are_not_looked_through_again(looks: Looks) -> None:
    first = looks.plan(survey(A="1"))
    assert looks.plan(survey(A="1")) == first
    assert looks.n == 1
    looks.plan(survey(A="1"), asked=Asked(Cohort(include_tse=True)))
    looks.plan(survey(A="1"), "2")
    looks.plan(survey(A="1"), "2", origin=Origin("bids", "/data/ds", "r2", "/data/ds"))
    assert looks.n == 4


def test_what_is_to_be_fetched_is_told_in_files_and_bytes(looks: Looks, caplog) -> None:
    before = looks.plan(survey(A="1", B="1"))
    assert "to fetch: 2 scans, 4 images and masks, 214 bytes" in lines_of(caplog)
    caplog.clear()
    looks.plan(survey(A="1", B="2"), "2", held=versions(before))
    told = lines_of(caplog)
    assert "bids.sub-B: mask: 7 bytes, 1 -> 7 bytes, 2" in told
    assert "1 are here; to fetch: 1 scans, 1 images and masks, 7 bytes" in told
    assert "bids.sub-B: mask changed, 7 bytes" in told


def test_sizes_that_are_not_known_are_a_lower_bound(looks: Looks, caplog) -> None:
    visit = survey(A="1").visits[0]
    unknown = replace(visit, files={**visit.files, "image": SourceFile("A.nii", None, "MD5E--1")})
    looks.plan(Survey((unknown,), 2, 7))
    assert "1 selected (of 1 none), at least 7 bytes" in lines_of(caplog)


def test_the_field_that_differs_is_told(looks: Looks, caplog) -> None:
    looks.plan(survey(A="1"))
    looks.plan(survey(A="1"), "2")
    assert "looks otherwise, and has the same scans" in lines_of(caplog)
    caplog.clear()
    looks.plan(survey(A="1", B="1"), "2", asked=Asked(Cohort(include_tse=True)))
    assert "filter: " in lines_of(caplog)
    assert "scans: 1 more, 0 fewer" in lines_of(caplog)


def test_another_number_than_expected_ends_the_plan_and_names_what_is_missing(looks: Looks) -> None:
    assert len(looks.plan(survey(A="1", B="1"), asked=Asked(expect=2))) == 2
    with pytest.raises(
        SourceError, match=r"expected 2 scans, got 1 of 1 visits.*missing: bids.sub-B \(was in the plan"
    ):
        looks.plan(survey(A="1"), "2", asked=Asked(expect=2))
    with pytest.raises(SourceError, match="expected 3 scans, got 2"):  # the kept plan is held against it too
        looks.plan(survey(A="1", B="1"), asked=Asked(expect=3))


def test_nothing_left_by_the_filter_is_an_error_with_the_filter_and_the_counts(looks: Looks) -> None:
    with pytest.raises(SourceError, match=r"no scan is left of 0 visits.*--modality T2w, --include-tse false"):
        looks.plan(survey())


def test_another_data_set_of_the_same_subjects_does_not_take_their_place_unasked(looks: Looks, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    one, two = (Origin("bids", name, root=str(tmp_path / name)) for name in ("one", "two"))
    held = versions(looks.plan(survey(A="1", B="1"), origin=one))
    assert looks.plan(survey(A="1"), origin=two, held=held)  # the same bytes
    for asked in (Asked(replace=True), Asked(name="two")):
        assert looks.plan(survey(A="2"), "2", origin=two, held=held, asked=asked)
    with pytest.raises(SourceError, match=r"1 uploads, the first bids.sub-A, came from one; --name NAME"):
        looks.plan(survey(A="2"), "3", origin=two, held=held)
    (tmp_path / "one").rename(tmp_path / "moved")
    assert looks.plan(survey(A="2"), "4", origin=two, held=held)
