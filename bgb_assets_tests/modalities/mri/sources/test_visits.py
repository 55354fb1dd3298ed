import json

import pytest

from bgb_assets.modalities.mri.sources.visits import SourceFile, Visit, survey_names
from bgb_assets_tests.modalities.mri.sources.source_case import image_path, mask_path, sidecar_path

A = image_path("A", "1")


def survey(*paths: str, sidecars: dict[str, bytes] | None = None, modality: str = "T2w") -> dict[str, Visit]:
    files = [SourceFile(path, 10, path) for path in paths]
    found = survey_names(files, modality, (sidecars or {}).get)
    return {visit.name: visit for visit in found.visits}


def chosen(visit: Visit) -> dict[str, str]:
    return {role: file.path for role, file in visit.files.items()}


def test_every_subject_and_session_with_any_image_is_a_visit() -> None:
    dwi = "sub-B/ses-2/dwi/sub-B_ses-2_dwi.nii.gz"
    found = survey(A, dwi, "README", "code/sub-C.txt")
    assert list(found) == ["sub-A_ses-1", "sub-B_ses-2"]
    assert (chosen(found["sub-B_ses-2"]), found["sub-B_ses-2"].has_mask) == ({}, False)


def test_a_mask_is_paired_by_its_sidecar_and_brings_it_along() -> None:
    said = json.dumps({"SpatialReference": f"bids:raw:{A}"}).encode()
    visit = survey(A, mask_path(A), sidecar_path(A), sidecars={sidecar_path(A): said})["sub-A_ses-1"]
    assert chosen(visit) == {"image": A, "mask": mask_path(A), "sidecar": sidecar_path(A)}
    assert (visit.method, visit.acquisition_label, visit.flags) == ("spatial_reference", "spc3p2", ())


@pytest.mark.parametrize(
    "said", [None, b'{"SpatialReference": "Text"}', b"no json", b'{"SpatialReference": "bids:raw:sub-A/absent.nii.gz"}']
)
def test_a_sidecar_that_says_nothing_leaves_the_name_to_decide(said: bytes | None) -> None:
    sidecars = {} if said is None else {sidecar_path(A): said}
    visit = survey(A, mask_path(A), sidecars=sidecars)["sub-A_ses-1"]
    assert (visit.method, chosen(visit)["image"]) == ("stem", A)


@pytest.mark.parametrize("turned", [False, True])
def test_of_two_runs_the_mask_names_one_in_whatever_order_they_are_listed(turned: bool) -> None:
    sixth, eleventh = (image_path("A", "1", f"acq-spc3_run-{run}") for run in (6, 11))
    paths = [sixth, eleventh, mask_path(eleventh)]
    visit = survey(*(reversed(paths) if turned else paths))["sub-A_ses-1"]
    assert chosen(visit)["image"] == eleventh


def test_several_masks_or_images_of_one_visit_are_ambiguous_and_all_are_named() -> None:
    runs = [image_path("A", "1", f"run-{run}") for run in (1, 2)]
    (masked,) = survey(*runs, *map(mask_path, runs)).values()
    assert [flag.code for flag in masked.flags] == ["ambiguous_pair"]
    assert all(mask_path(run) in masked.flags[0].message for run in runs)
    (bare,) = survey(*runs).values()
    assert (bare.has_mask, [flag.code for flag in bare.flags]) == (False, ["ambiguous_pair"])


def test_a_reference_out_of_the_data_set_is_refused() -> None:
    said = b'{"SpatialReference": "bids:raw:../../etc/passwd"}'
    (visit,) = survey(A, mask_path(A), sidecars={sidecar_path(A): said}).values()
    assert ([flag.code for flag in visit.flags], visit.has_mask) == (["unsafe_path"], True)


def test_a_mask_of_another_kind_of_image_is_not_the_visits() -> None:
    flair = image_path("A", "1", "", "FLAIR")
    (visit,) = survey(A, flair, mask_path(A), modality="FLAIR").values()
    assert (chosen(visit), visit.has_mask) == ({"image": flair}, False)


def test_images_among_derivatives_are_no_scans() -> None:
    (visit,) = survey(f"derivatives/resampled/{A}", A).values()
    assert chosen(visit) == {"image": A}


def test_a_link_out_of_the_folder_is_refused() -> None:
    files = [SourceFile(A, None, "link", is_here=False, leaves=True), SourceFile(mask_path(A), 1, "m")]
    (visit,) = survey_names(files, "T2w", lambda path: None).visits
    assert [flag.code for flag in visit.flags] == ["unsafe_path"]
