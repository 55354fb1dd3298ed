"""The real listing of a data set of 902 scan sessions: what is planned, what changes from one version to the next."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bgb_assets.modalities.mri.sources.listing import Listing, source
from bgb_assets.modalities.mri.sources.plan import changed_roles, files_of, plan_path, read_plan
from bgb_assets.runtime.errors import SourceError, UsageError
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.mri.nifti_files import put
from bgb_assets_tests.modalities.mri.sources.source_case import lines_of, planned, versions

IMAGE_BYTES, MASK_BYTES, ALL_BYTES = 897_327_933, 5_555_589, 292_960_482_444


def listing() -> Path:
    return shared_data("mri") / "ds004884" / "manifest.parquet"


def opened(**options: str) -> Listing:
    return source(str(listing()), options)


def test_the_plan_of_the_whole_data_set(tmp_path: Path, caplog) -> None:
    caplog.set_level("INFO")
    offers = planned(opened(expect="223"), tmp_path)
    assert len(offers) == 223
    plan = read_plan(plan_path(tmp_path, "listing", str(listing().resolve())))
    assert plan is not None
    told = plan.told
    assert (told["visits"], told["subjects"], told["masks"]) == (902, 230, 228)
    assert told["pair_methods"] == {"spatial_reference": 227, "stem": 1}
    assert told["acquisitions"] == {"space_2x": 115, "space_no_accel": 108}
    assert told["left_out"] == {"turbo_spin_echo": 5, "no mask": 674}
    assert told["bytes"] == {"image": IMAGE_BYTES, "mask": MASK_BYTES}
    assert (told["items"], told["bytes_of_all"]) == ({"images": 5164}, ALL_BYTES)
    assert "223 selected (of 115 space_2x, 108 space_no_accel), 902883522 bytes" in lines_of(caplog)


def test_the_scan_with_two_runs_and_the_one_whose_sidecar_says_nothing(tmp_path: Path) -> None:
    offers = planned(opened(), tmp_path)
    assert "_run-11_" in files_of(offers["listing.sub-M2105_ses-964"])["image"]["path"]
    assert "sub-M2272_ses-2189" in files_of(offers["listing.sub-M2272_ses-2189"])["image"]["path"]
    assert len(planned(opened(include_tse="true"), tmp_path)) == 228


def test_from_one_version_to_the_next_sixteen_masks_are_fetched(tmp_path: Path, caplog) -> None:
    caplog.set_level("INFO")
    before = planned(opened(revision="1.0.1"), tmp_path)
    assert "901995797 bytes" in lines_of(caplog)
    caplog.clear()
    after = planned(opened(), tmp_path, versions(before))
    changed = {path: roles for path in after if (roles := changed_roles(after[path], before[path].version))}
    assert len(changed) == 16
    assert set(map(tuple, changed.values())) == {("mask",)}
    assert sum(files_of(after[path])["mask"]["n_bytes"] for path in changed) == 1_201_529
    told = lines_of(caplog)
    assert "207 are here; to fetch: 16 scans, 16 images and masks, 1201529 bytes" in told
    assert all(f"{path}: mask changed" in told for path in changed)
    assert "listing.sub-M2246_ses-853: mask: 10636 bytes, 240bf63" in told


def test_the_same_plan_again_reads_neither_the_listing_nor_the_libraries_for_it(tmp_path: Path) -> None:
    kept = plan_path(tmp_path, "listing", str(listing().resolve()))
    planned(opened(), tmp_path)
    before = kept.read_bytes()
    script = """
import json, sys
from pathlib import Path
opened = []
sys.addaudithook(lambda event, args: event == "open" and opened.append(str(args[0])))
from bgb_assets.modalities.mri.sources.listing import source
offers = list(source(sys.argv[1], {}).plan({}, Path(sys.argv[2])))
loaded = sorted({"torch", "nibabel", "datasets", "pandas", "pyarrow"} & set(sys.modules))
print(json.dumps([len(offers), loaded, [p for p in opened if p.endswith((".json", ".parquet"))]]))
"""
    command = [sys.executable, "-c", script, str(listing()), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [223, [], [str(kept)]]
    assert kept.read_bytes() == before


def test_there_is_nothing_to_fetch(tmp_path: Path) -> None:
    source_of_it = opened()
    offer = next(iter(planned(source_of_it, tmp_path).values()))
    with pytest.raises(SourceError, match="names files and has none"):
        source_of_it.fetch(offer, tmp_path, tmp_path / "out")


def test_a_wrong_number_is_told(tmp_path: Path) -> None:
    with pytest.raises(
        SourceError, match=r"expected 224 scans, got 223 of 902 visits \(left out: 674 no mask, 5 turbo"
    ):
        planned(opened(expect="224"), tmp_path)
    with pytest.raises(SourceError, match=r"no scan is left of 902 visits.*--modality FLAIR"):
        planned(opened(modality="FLAIR"), tmp_path)


def test_what_is_no_listing_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="name a Parquet table"):
        source(str(tmp_path / "absent"), {})
    path = put(tmp_path / "x.parquet", b"no parquet")
    with pytest.raises(SourceError, match="not a Parquet file"):
        planned(source(str(path), {}), tmp_path)
    with pytest.raises(SourceError, match=r"no columns \['bytes_2', 'sha256_2'\]"):
        planned(opened(revision="2"), tmp_path)
