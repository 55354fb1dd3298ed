import pytest

from bgb_assets.modalities.mri.scans.flags import Flag
from bgb_assets.modalities.mri.sources.cohort import Asked, Cohort, read_options
from bgb_assets.modalities.mri.sources.visits import SourceFile, Visit
from bgb_assets.runtime.errors import UsageError

IMAGE, MASK = SourceFile("i", 1, "1"), SourceFile("m", 1, "1")


def visit(**other: object) -> Visit:
    values: dict[str, object] = {"files": {"image": IMAGE, "mask": MASK}, "has_mask": True, "acquisition_label": "spc3"}
    return Visit("sub-A", None, **(values | other))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("cohort", "seen", "reason"),
    [
        (Cohort(), visit(), None),
        (Cohort(), visit(has_mask=False, files={"image": IMAGE}), "no mask"),
        (Cohort(allow_no_mask=True), visit(has_mask=False, files={"image": IMAGE}), None),
        (Cohort(allow_no_mask=True), visit(has_mask=False, files={}), "no T2w"),
        (Cohort("FLAIR"), visit(files={"mask": MASK}), "no FLAIR"),
        (Cohort(), visit(acquisition_label="tse3"), "turbo_spin_echo"),
        (Cohort(), visit(acquisition_label="turbo_spin_echo"), "turbo_spin_echo"),
        (Cohort(include_tse=True), visit(acquisition_label="tse3"), None),
        (Cohort(), visit(acquisition_label="tse3x"), None),
        (Cohort(), visit(acquisition_label=None), None),
        (Cohort(), visit(files={}, flags=(Flag("ambiguous_pair", "two"),)), None),
    ],
)
def test_the_filter_says_why_it_leaves_a_visit_out(cohort: Cohort, seen: Visit, reason: str | None) -> None:
    assert cohort.excludes(seen) == reason


def test_options_are_read() -> None:
    given = {"modality": "FLAIR", "include_tse": "true", "allow_no_mask": "no", "expect": "223", "name": "arc"}
    assert read_options("bids", given) == Asked(Cohort("FLAIR", True, False), 223, "arc")
    assert read_options("listing", {"revision": "1.0.1"}, ("revision",)).others == {"revision": "1.0.1"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"modality": "dwi"}, "--modality is one of T2w, FLAIR, T1w, got 'dwi'"),
        ({"include_tse": "maybe"}, "--include-tse expects true or false, got 'maybe'"),
        ({"expect": "0"}, "--expect expects a number of scans above 0, got '0'"),
        ({"expect": "many"}, "got 'many'"),
        ({"name": "a/b"}, "--name is made of letters"),
        ({"revision": "1"}, r"unknown options \['revision'\]"),
    ],
)
def test_options_that_cannot_be_read_are_told(given: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read_options("bids", given)
