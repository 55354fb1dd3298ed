import json
import os
import pickle
from pathlib import Path

import pytest
from pyarrow.parquet import read_table

from bgb_assets.modalities.mri.scans.flags import BadScan
from bgb_assets.modalities.mri.sources.bids import BidsTree, copy_hashed, source
from bgb_assets.modalities.mri.sources.plan import files_of
from bgb_assets.runtime.errors import SourceError, UsageError
from bgb_assets.storage.digests import sha256_bytes
from bgb_assets_tests.driving import opened_below
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.mri.nifti_files import ODD_FORMS, of_nibabel, put
from bgb_assets_tests.modalities.mri.sources.source_case import (
    annexed,
    fetched,
    image_path,
    lines_of,
    mask_path,
    names_of,
    planned,
    put_scan,
    sidecar_path,
    versions,
)

A, B, TURBO, BARE = (
    image_path("A", "1"),
    image_path("B", "1", "acq-spc3"),
    image_path("C", "1", "acq-tse3"),
    image_path("D", "1"),
)
KEY = "bids.sub-A_ses-1"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two scans that are wanted, one of turbo spin echo, one without a mask."""
    root = tmp_path / "ds"
    put_scan(root, A, 1)
    put_scan(root, B, 2, reference="Text")
    put_scan(root, TURBO, 3)
    put_scan(root, BARE, 4, masked=False)
    people = "participant_id\tage\tsex\nsub-A\t61 \tn/a\nsub-B\t50\tF\n"
    put(root / "participants.tsv", people.encode())
    return root


def opened(root: Path, **options: str) -> BidsTree:
    return source(str(root), options)


def test_the_filter_and_its_switches(tree: Path, tmp_path: Path) -> None:
    def names(**options: str) -> list[str]:
        return names_of(planned(opened(tree, **options), tmp_path / "work"))

    assert names() == ["sub-A_ses-1", "sub-B_ses-1"]
    assert names(include_tse="true") == ["sub-A_ses-1", "sub-B_ses-1", "sub-C_ses-1"]
    assert names(allow_no_mask="true") == ["sub-A_ses-1", "sub-B_ses-1", "sub-D_ses-1"]
    assert names(name="arc") == ["arc.sub-A_ses-1", "arc.sub-B_ses-1"]
    with pytest.raises(SourceError, match=r"no scan is left of 4 visits \(left out: 4 no mask\).*--modality FLAIR"):
        names(modality="FLAIR")


def test_files_come_as_they_are_at_their_places(tree: Path, tmp_path: Path) -> None:
    offer = planned(opened(tree), tmp_path / "work")[KEY]
    assert offer.facts == {"participant": {"age": "61"}}
    got = fetched(opened(tree), offer, tmp_path / "work", tmp_path / "out")
    assert got == {path: (tree / path).read_bytes() for path in (A, mask_path(A), sidecar_path(A))}


@pytest.mark.parametrize("name", ODD_FORMS)
def test_odd_forms_come_through_byte_for_byte(tmp_path: Path, name: str) -> None:
    suffix = ".nii.gz" if name.endswith(".gz") else ".nii"
    path = f"sub-A/anat/sub-A_T2w{suffix}"
    put(tmp_path / "ds" / path, of_nibabel(name).read_bytes())
    tree = opened(tmp_path / "ds", allow_no_mask="true")
    (offer,) = planned(tree, tmp_path / "work").values()
    assert fetched(tree, offer, tmp_path / "work", tmp_path / "out") == {path: of_nibabel(name).read_bytes()}


def test_what_is_on_another_disk_is_planned_and_comes_when_it_is_here(tree: Path, tmp_path: Path, caplog) -> None:
    caplog.set_level("INFO")
    held = annexed(tree, A)
    content = held.read_bytes()
    held.unlink()
    offers = planned(opened(tree), tmp_path / "work")
    assert offers[KEY].document["files"]["image"]["sha256"] == sha256_bytes(content)
    assert "1 files have no bytes here; `git annex get`" in lines_of(caplog)
    with pytest.raises(SourceError, match="git annex get"):
        fetched(opened(tree), offers[KEY], tmp_path / "work", tmp_path / "out1")
    put(held, content)
    assert versions(planned(opened(tree), tmp_path / "work")) == versions(offers)
    assert fetched(opened(tree), offers[KEY], tmp_path / "work", tmp_path / "out2")[A] == content


def test_a_whole_data_set_of_dangling_links_is_planned(tmp_path: Path) -> None:
    listing = read_table(shared_data("mri") / "ds004884" / "manifest.parquet").to_pylist()
    for row in listing:
        path = tmp_path / "ds" / row["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        if row["path"].endswith(".nii.gz"):
            key = f"SHA256E-s{row['bytes']}--{row['sha256'].hex()}.nii.gz"
            path.symlink_to(f"{'../' * row['path'].count('/')}.git/annex/objects/Xx/Yy/{key}/{key}")
        elif row["spatial_reference"] is not None:
            path.write_text(json.dumps({"SpatialReference": row["spatial_reference"]}))
    offers = planned(opened(tmp_path / "ds", expect="223"), tmp_path / "work")
    files = [files_of(offer) for offer in offers.values()]
    assert sum(each["image"]["n_bytes"] for each in files) == 897_327_933
    assert sum(each["mask"]["n_bytes"] for each in files) == 5_555_589


def test_bytes_that_are_not_those_of_the_annex_key_are_refused(tree: Path, tmp_path: Path) -> None:
    held = annexed(tree, A)
    held.write_bytes(held.read_bytes()[:-1] + b"\1")
    offer = planned(opened(tree), tmp_path / "work")[KEY]
    with pytest.raises(BadScan) as error:
        fetched(opened(tree), offer, tmp_path / "work", tmp_path / "out")
    assert error.value.code == "digest_mismatch"


def test_a_file_that_changes_after_the_plan_is_not_taken_for_the_planned_one(tree: Path, tmp_path: Path) -> None:
    offer = planned(opened(tree), tmp_path / "work")[KEY]
    os.utime(tree / A, (1, 1))
    with pytest.raises(SourceError, match="changed since it was looked at"):
        fetched(opened(tree), offer, tmp_path / "work", tmp_path / "out")


def test_a_visit_that_cannot_be_used_is_offered_to_be_refused_with_its_reason(tree: Path, tmp_path: Path) -> None:
    outside = put(tmp_path / "outside.nii.gz", b"1")
    (tree / A).unlink()
    (tree / A).symlink_to(outside)
    put_scan(tree, B.replace("spc3", "spc3_run-2"), 5)
    offers = planned(opened(tree), tmp_path / "work")
    for key, code in ((KEY, "unsafe_path"), ("bids.sub-B_ses-1", "ambiguous_pair")):
        with pytest.raises(BadScan) as error:
            fetched(opened(tree), offers[key], tmp_path / "work", tmp_path / key)
        assert error.value.code == code


def test_a_plan_opens_sidecars_and_the_table_of_people_only_and_the_same_plan_again_nothing(
    tree: Path, tmp_path: Path
) -> None:
    for path in (mask_path(image) for image in (A, B, TURBO)):
        put(tree / path, bytes(600))  # a real one is never as short as the text that stands for an annexed file
    with opened_below(tree) as names:
        planned(opened(tree), tmp_path / "work")
    assert sorted(set(names)) == sorted(["participants.tsv", *map(sidecar_path, (A, B, TURBO))])
    with opened_below(tree) as names:
        planned(opened(tree), tmp_path / "work")
    assert names == []


def test_one_scan_changes_alone_and_a_touched_table_of_people_changes_facts_only(tree: Path, tmp_path: Path) -> None:
    before = planned(opened(tree), tmp_path / "work")
    put_scan(tree, A, 9)
    people = (tree / "participants.tsv").read_text().replace("50", "51")
    put(tree / "participants.tsv", people.encode())
    after = planned(opened(tree), tmp_path / "work", versions(before))
    assert after[KEY].version != before[KEY].version
    other = "bids.sub-B_ses-1"
    assert after[other].version == before[other].version
    assert (before[other].facts["participant"]["age"], after[other].facts["participant"]["age"]) == ("50", "51")


def test_a_table_of_people_that_cannot_be_read_is_told(tree: Path, tmp_path: Path) -> None:
    put(tree / "participants.tsv", b"\xff\xfe")
    with pytest.raises(SourceError, match=r"participants\.tsv"):
        planned(opened(tree), tmp_path / "work")


def test_it_can_be_handed_to_a_worker(tree: Path) -> None:
    assert pickle.loads(pickle.dumps(opened(tree))) == opened(tree)


def test_a_copy_says_what_it_holds(tmp_path: Path) -> None:
    data = os.urandom(3 << 20)
    origin = put(tmp_path / "a", data)
    assert copy_hashed(origin, tmp_path / "b") == sha256_bytes(data)
    assert ((tmp_path / "b").read_bytes(), (tmp_path / "b").stat().st_nlink) == (data, 1)


@pytest.mark.parametrize("rest", ["", "/no/such/folder"])
def test_what_is_no_folder_is_told(rest: str) -> None:
    with pytest.raises(UsageError, match="name the folder of a data set"):
        source(rest, {})


def test_documents_hold_plain_json(tree: Path, tmp_path: Path) -> None:
    for offer in planned(opened(tree), tmp_path / "work").values():
        assert json.loads(json.dumps(offer.document)) == offer.document
