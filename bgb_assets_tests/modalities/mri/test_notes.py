import gzip
import subprocess
import sys

import nibabel as nib
import numpy as np
import pyarrow.parquet as pq
import pytest

from bgb_assets.modalities.mri import notes
from bgb_assets.modalities.mri.notes import NotesParams
from bgb_assets.modalities.mri.scans.flags import BadScan
from bgb_assets.runtime.errors import ConfigError
from bgb_assets.runtime.monitoring import counting
from bgb_assets_tests.modalities.mri.cached_scans import cached, head, noted, oblique, strokes, write_volume


def run(folder, params=NotesParams()):
    out = folder / "notes"
    out.mkdir()
    result = notes.run({"cache": folder / "cache", "raw": folder / "raw"}, params, out)
    (row,) = pq.read_table(out / "scans.parquet").to_pylist()
    return result, row


def made(folder, image=None, mask=None, flags=(), participant=None, **reading):
    cached(folder / "cache", image, mask, **reading)
    noted(folder / "raw", flags, participant)
    return folder


def test_a_head_with_its_lesion(tmp_path):
    participant = {"sex": "F", "wab_aq": "67.2"}
    result, row = run(made(tmp_path, *head("patient19"), flags=("pair_by_stem",), participant=participant))
    image, mask = (nib.load(path) for path in head("patient19"))
    values, lesion = np.asarray(image.dataobj), np.asarray(mask.dataobj) > 0
    places = np.argwhere(lesion)
    world = nib.affines.apply_affine(mask.affine, places)
    assert {name: row[name] for name in ("subject_id", "session_id", "modality", "acquisition", "pair_method")} == {
        "subject_id": "M2001",
        "session_id": "1253",
        "modality": "T2w",
        "acquisition": "space_2x",
        "pair_method": "stem",
    }
    assert (row["native_shape"], row["voxel_size_mm"]) == ([182, 218, 182], [1.0, 1.0, 1.0])
    assert (row["orientation"], row["obliquity_deg"], row["image_dtype"]) == ("LAS", 0.0, "float32")
    assert (row["intensity_min"], row["intensity_max"]) == (values.min(), values.max())
    assert row["intensity_p50_head"] == np.median(values[values != 0])
    assert (row["lesion_voxels_native"], row["lesion_volume_mm3"], row["volume_bin"]) == (49_769, 49_769.0, 2)
    np.testing.assert_allclose(row["lesion_centroid_mm"], world.mean(axis=0), rtol=1e-5)
    bounds = np.stack([places.min(axis=0), places.max(axis=0)], axis=1)
    assert row["lesion_bbox_ijk"] == bounds.ravel().tolist()
    expected = (world[:, 0] < 0).mean() + (world[:, 0] == 0).mean() / 2
    assert row["lesion_left_fraction"] == pytest.approx(expected)
    assert row["largest_component_mm3"] <= row["lesion_volume_mm3"]
    assert row["qc_flags"] == ["pair_by_stem"]
    assert dict(row["participant"]) == participant
    assert (len(row["image_volume_digest"]), len(row["mask_volume_digest"])) == (64, 64)
    assert result.metadata["lesion_components"] == row["lesion_components"] > 1


def test_the_schema_is_the_declared_one(tmp_path):
    run(made(tmp_path, mask=strokes()[0]))
    schema = pq.read_schema(tmp_path / "notes" / "scans.parquet")
    assert schema.equals(notes.TABLES["scans"])
    with pytest.raises(AttributeError, match="TABLE"):
        notes.__getattr__("TABLE")


def test_a_mask_alone_has_no_intensities(tmp_path):
    _, row = run(made(tmp_path, mask=strokes()[0]))
    assert row["lesion_voxels_native"] == int((np.asarray(nib.load(strokes()[0]).dataobj) > 0).sum())
    assert row["native_shape"] == [181, 217, 181]
    absent = ("image_volume_digest", "image_dtype", "intensity_min", "intensity_max", "intensity_p50_head")
    assert [row[name] for name in absent] == [None] * 5
    assert dict(row["participant"]) == {}


def test_an_image_alone_has_no_lesion_not_one_of_volume_zero(tmp_path):
    result, row = run(made(tmp_path, image=oblique()[0]))
    assert [name for name, value in row.items() if value is None] == [
        "mask_volume_digest",
        "lesion_voxels_native",
        "lesion_volume_mm3",
        "lesion_components",
        "largest_component_mm3",
        "lesion_centroid_mm",
        "lesion_bbox_ijk",
        "lesion_left_fraction",
        "volume_bin",
    ]
    assert row["obliquity_deg"] > 1
    assert row["image_dtype"] == "uint16"
    assert result.metadata["volume_bin"] is None


def test_the_volume_is_the_count_times_the_voxel(tmp_path):
    """The mask of the oblique scan: 172 voxels of 0.898 x 0.898 x 2.999 mm."""
    _, row = run(made(tmp_path, mask=oblique()[1]))
    assert row["lesion_voxels_native"] == 172
    assert row["lesion_volume_mm3"] == pytest.approx(416.3, abs=0.05)
    assert row["volume_bin"] == 1


def test_a_mask_of_tiny_values_is_all_counted(tmp_path):
    lesion = np.zeros((5, 5, 5), np.float32)
    lesion[1:3, 1:3, 1:3] = 0.017
    result, row = run(made(tmp_path, mask=write_volume(tmp_path / "m.nii", lesion)))
    assert row["lesion_voxels_native"] == 8
    assert row["qc_flags"] == ["mask_scaled"]
    assert "0.017" in result.warnings[0]


def test_a_mask_that_cannot_be_read_is_refused_and_not_of_volume_zero(tmp_path):
    damaged = tmp_path / "m.nii.gz"
    damaged.write_bytes(strokes()[0].read_bytes())
    made(tmp_path, mask=damaged)
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 0x10
    (tmp_path / "cache" / "mask.nii.gz").write_bytes(content)
    with pytest.raises(BadScan, match="mask"):
        run(tmp_path)
    assert list((tmp_path / "notes").iterdir()) == []


@pytest.mark.parametrize(("value", "code"), [(0, "mask_empty"), (2, "mask_labels")])
def test_what_is_no_mask_is_refused(tmp_path, value, code):
    mask = np.zeros((4, 4, 4), np.uint8)
    mask[1, 1, 1:3] = (value, value // 2)
    with pytest.raises(BadScan, match=code):
        run(made(tmp_path, mask=write_volume(tmp_path / "m.nii", mask)))


def test_an_empty_mask_that_is_allowed_has_volume_zero(tmp_path):
    path = write_volume(tmp_path / "m.nii", np.zeros((4, 4, 4), np.uint8))
    _, row = run(made(tmp_path, mask=path), NotesParams(allow_empty=True))
    assert (row["lesion_voxels_native"], row["lesion_volume_mm3"], row["volume_bin"]) == (0, 0.0, 0)
    assert row["lesion_centroid_mm"] is row["lesion_bbox_ijk"] is row["lesion_left_fraction"] is None
    assert row["qc_flags"] == ["mask_empty"]


def test_edges_of_bins_are_params(tmp_path):
    path = write_volume(tmp_path / "m.nii", np.pad(np.ones((2, 2, 2), np.uint8), 1))
    assert run(made(tmp_path / "a", mask=path))[1]["volume_bin"] == 1
    edges = NotesParams(volume_edges_mm3=(4.0, 8.0, 9.0, 10.0))
    assert run(made(tmp_path / "b", mask=path), edges)[1]["volume_bin"] == 2
    with pytest.raises(ConfigError, match="volume_edges_mm3"):
        NotesParams(volume_edges_mm3=(2.0, 1.0))


def test_a_volume_is_computed_once_and_each_file_inflated_once(tmp_path):
    made(tmp_path, *head("patient07"))
    with counting() as counts:
        run(tmp_path)
    assert counts["lesion_volumes"] == 1
    assert counts["inflations"] == 2


def test_neither_is_absent(tmp_path):
    made(tmp_path)
    (tmp_path / "notes").mkdir()
    result = notes.run({"cache": tmp_path / "cache", "raw": tmp_path / "raw"}, NotesParams(), tmp_path / "notes")
    assert result.absent == "neither image nor mask"


def test_bytes_and_facet_depend_on_the_volumes_and_facts_alone(tmp_path):
    path = strokes()[0]
    plain = tmp_path / "plain.nii"
    plain.write_bytes(gzip.decompress(path.read_bytes()))
    first, _ = run(made(tmp_path / "a", mask=path))
    second, _ = run(made(tmp_path / "b", mask=plain))
    assert first == second
    files = [tmp_path / name / "notes" / "scans.parquet" for name in "ab"]
    assert files[0].read_bytes() == files[1].read_bytes()
    other, _ = run(made(tmp_path / "c", mask=path, participant={"sex": "M"}))
    assert other.facets != first.facets


def test_a_worker_imports_no_pandas(tmp_path):
    made(tmp_path, mask=strokes()[0])
    (tmp_path / "notes").mkdir()
    code = (
        "import sys; from pathlib import Path; from bgb_assets.modalities.mri import notes; root = Path(sys.argv[1]);"
        "notes.run({'cache': root / 'cache', 'raw': root / 'raw'}, notes.NotesParams(), root / 'notes');"
        "print(sorted({'pandas', 'torch'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    assert subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip() == "[]"
