"""The manifest and the tokens of scans that went through their own stages, from NIfTI files on."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from bgb_assets.loading.mapped import ShardStore
from bgb_assets.modalities.contract import EntryView, FanIn, Member, StageResult
from bgb_assets.modalities.mri import cache, features, manifest, notes, raw, tokens
from bgb_assets.modalities.mri.cohort import audits
from bgb_assets.modalities.mri.conform.params import ConformParams
from bgb_assets.modalities.mri.conform.stored import unpack_mask
from bgb_assets.modalities.mri.lesions.bins import volume_bin
from bgb_assets.modalities.mri.manifest_params import ManifestParams
from bgb_assets.modalities.mri.splits.strata import Candidate, neighbour_of, sessions_of, subject_strata
from bgb_assets.runtime.monitoring import counting
from bgb_assets.storage.manifest import read_rows
from bgb_assets.storage.nested_splits import deal_nested
from bgb_assets.storage.split_files import make_split, read_split
from bgb_assets_tests.modalities.mri.growing_lesions import EDGES_MM3, SHAPE, lesion_of, write_upload

SCANS = 9
PARAMS = ManifestParams()


def entry(root: Path, stage: str, key: str, result: StageResult) -> EntryView:
    return EntryView(f"{stage}{key}", f"{stage}/{key}", result.facets, result.metadata, root / stage / key)


def ingested(root: Path, number: int) -> str:
    """Bring one upload through raw and cache; return its key."""
    key = f"sub-M{number:03d}_ses-{7 * number}"
    upload = write_upload(root / "upload" / key, number)
    for stage in ("raw", "cache", "features", "notes"):
        (root / stage / key).mkdir(parents=True)
    raw.run({"upload": upload}, raw.RawParams(), root / "raw" / key)
    cache.run({"upload": upload, "raw": root / "raw" / key}, None, root / "cache" / key)
    return key


def measured(root: Path, key: str) -> Member:
    inputs = {"raw": root / "raw" / key, "cache": root / "cache" / key}
    noted = notes.run(inputs, notes.NotesParams(volume_edges_mm3=EDGES_MM3), root / "notes" / key)
    conformed = features.run(inputs, ConformParams(shape=SHAPE), root / "features" / key)
    return Member(
        key, {}, {"notes": entry(root, "notes", key, noted), "features": entry(root, "features", key, conformed)}
    )


def fan_in_of(root: Path, members: list[Member]) -> FanIn:
    fan_in = FanIn(members, {}, {}, {}, root / "pins", root)
    parts = {}
    for name in manifest.plan(fan_in, PARAMS):
        out = root / "parts" / name
        out.mkdir(parents=True)
        manifest.run_part(name, fan_in, PARAMS, out)
        parts[name] = EntryView(name, f"parts/{name}", {}, {}, out)
    (root / "manifest").mkdir()
    (root / "tokens").mkdir()
    return dataclasses.replace(fan_in, parts=parts)


def eager_split(name: str) -> str:
    """Return the digest of the split of volumes that were counted before any stage ran."""
    scans = []
    for number in range(SCANS):
        volume_mm3 = 2.0 * float((lesion_of(number).astype(np.float64) > 0).sum())
        subject, session = f"sub-M{number:03d}", f"ses-{7 * number}"
        scans.append(Candidate(subject, session, volume_mm3, volume_bin(volume_mm3, EDGES_MM3), "space_2x"))
    strata = subject_strata(scans, PARAMS.split.strata)
    deal = deal_nested(strata, PARAMS.split, neighbour_of(scans, PARAMS.split.strata))
    return make_split(name, PARAMS.split, deal, sessions_of(scans)).digest


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[int]]:
    """The finished store, and how many lesion volumes had been computed after ingest, notes, manifest and tokens."""
    root = tmp_path_factory.mktemp("root")
    seen = []
    with counting() as counts:
        keys = [ingested(root, number) for number in range(SCANS)]
        seen.append(counts["lesion_volumes"])
        members = [measured(root, key) for key in keys]
        seen.append(counts["lesion_volumes"])
        fan_in = fan_in_of(root, members)
        manifest.run(fan_in, PARAMS, root / "manifest")
        inputs = {"manifest": root / "manifest"}
        tokens.run(dataclasses.replace(fan_in, inputs=inputs), None, root / "tokens")
        seen.append(counts["lesion_volumes"])
    return root, seen


def test_volumes_are_computed_once_per_mask_and_never_by_ingest(counted: tuple[Path, list[int]]) -> None:
    root, seen = counted
    assert seen == [0, SCANS, SCANS]
    assert read_split(root / "manifest/splits/default.json").digest == eager_split("default")


def test_rows_say_what_the_stages_found(counted: tuple[Path, list[int]]) -> None:
    root, _ = counted
    for number, row in enumerate(read_rows(root / "manifest").to_pylist()):
        assert (row["group"], row["session"]) == (f"sub-M{number:03d}", f"ses-{7 * number}")
        assert row["acquisition"] == "space_2x"
        assert row["lesion_volume_mm3"] == 2.0 * lesion_of(number).sum()
        assert row["lesion_voxels"] == 2 * lesion_of(number).sum(), "voxels of 2 mm become two of 1 mm"
        assert (row["included"], row["total_voxels"]) == (True, 24**3)
    held = (audits.audit_schema, audits.audit_folds, audits.audit_bins, audits.audit_files, audits.audit_duplicates)
    assert [audit(root / "manifest", root) for audit in held] == [[]] * len(held)


def test_samples_are_the_conformed_scans(counted: tuple[Path, list[int]]) -> None:
    root, _ = counted
    store = ShardStore(root, root / "tokens")
    assert len(store) == SCANS
    for row in range(SCANS):
        image, bits = (store.source_at(int(store.column(name)[row])) for name in ("source", "mask_source"))
        assert image.shape == SHAPE
        assert 0 <= image.min() < image.max() <= 1
        mask = unpack_mask(bits, SHAPE)
        assert mask.sum() == store.column("lesion_voxels")[row] == 2 * lesion_of(row).sum()
        assert (image[mask > 0] > 0).all(), "the lesion lies in the head"
