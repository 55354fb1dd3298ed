"""Which pictures there are: of a scan's features, of the manifest, of a model."""

import numpy as np
import pytest

from bgb_assets.modalities.mri import features
from bgb_assets.modalities.mri.conform.params import ConformParams
from bgb_assets.modalities.mri.report import pictures
from bgb_assets_tests.modalities.mri.cached_scans import cached, write_volume
from bgb_assets_tests.modalities.mri.cohort_case import Cohort
from bgb_assets_tests.modalities.mri.pictures.figure_parts import texts


@pytest.fixture
def entries(tmp_path):
    values = np.random.default_rng(0).integers(1, 99, (20, 22, 24)).astype(np.int16)
    mask = np.zeros(values.shape, np.uint8)
    mask[5:9, 5:9, 5:9] = 1
    image = write_volume(tmp_path / "i.nii", values)
    found = {"cache": cached(tmp_path / "cache", image, write_volume(tmp_path / "m.nii", mask))}
    found["features"] = tmp_path / "features"
    found["features"].mkdir()
    features.run(found, ConformParams(shape=(32, 32, 32)), found["features"])
    return found


def test_a_scan_has_its_montage_and_its_planes(entries, tmp_path):
    drawn = pictures("features", entries, tmp_path)
    assert set(drawn) == {"montage", "planes"}
    assert "A lesion of 0.06 ml" in texts(drawn["montage"])
    assert "Through the lesion, before and after" in texts(drawn["planes"])
    assert set(pictures("features", {"features": entries["features"]}, tmp_path)) == {"montage"}


def test_a_mask_without_a_scan_has_none(entries, tmp_path):
    (tmp_path / "alone").mkdir()
    cache = cached(tmp_path / "c", None, entries["cache"] / "mask.nii")
    features.run({"cache": cache}, ConformParams(shape=(32, 32, 32)), tmp_path / "alone")
    assert pictures("features", {"cache": cache, "features": tmp_path / "alone"}, tmp_path) == {}


def test_the_cohort_and_what_was_left_out_are_drawn(tmp_path):
    cohort = Cohort(tmp_path)
    for number in range(6):
        cohort.add(f"M{number}")
    manifest = cohort.manifest()[0]
    assert set(pictures("manifest", {"manifest": manifest}, tmp_path)) == {"cohort"}
    cohort.add("N", volume_mm3=None)
    assert set(pictures("manifest", {"manifest": cohort.manifest()[0]}, tmp_path)) == {"cohort", "left_out"}


def test_a_model_is_drawn_from_its_logs_alone(tmp_path):
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(tmp_path)) as writer:
        for step in range(5):
            writer.add_scalar("train/loss", 1 / (1 + step), step)
    assert set(pictures("model", {"model": tmp_path, "logs": tmp_path}, tmp_path)) == {"curves"}
    assert pictures("model", {"model": tmp_path}, tmp_path) == {}
    assert pictures("raw", {"raw": tmp_path}, tmp_path) == {}
