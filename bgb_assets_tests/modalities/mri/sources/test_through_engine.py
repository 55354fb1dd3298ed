"""Sources of scans driven by the engine: what is fetched and done again after a change, and what is not."""

import gzip
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bgb_assets.chain import Chain
from bgb_assets.engine.landing import SourceReport
from bgb_assets.engine.sources import SourceIngest
from bgb_assets.modalities.contract import PER_UPLOAD_STAGES
from bgb_assets.modalities.mri.sources import bids, parquet
from bgb_assets.modalities.source_registry import open_source, prefixes
from bgb_assets.modalities.sources import Source
from bgb_assets.runtime import monitoring
from bgb_assets.runtime.errors import SourceError
from bgb_assets_tests.driving import outcomes, walk
from bgb_assets_tests.modalities.mri.first_stages import MODALITY
from bgb_assets_tests.modalities.mri.nifti_files import put
from bgb_assets_tests.modalities.mri.sources.source_case import (
    annexed,
    image_path,
    mask_of,
    mask_path,
    put_scan,
    row_of,
    write_rows,
)

IMAGES = [image_path(name, "1") for name in "ABC"]
KEYS = tuple(f"bids.sub-{name}_ses-1" for name in "ABC")


@pytest.fixture
def chain(make_chain: Callable[..., Chain]) -> Callable[[], Chain]:
    return lambda: make_chain(MODALITY)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for number, image in enumerate(IMAGES):
        put_scan(tmp_path / "ds", image, number)
    return tmp_path / "ds"


def blobs(chain: Chain) -> dict[str, int]:
    """Return digest -> inode of what was fetched."""
    folder = chain.store.root / "raw" / "blobs"
    return {path.name: path.stat().st_ino for path in folder.rglob("*") if path.is_file()}


def ingested(chain: Chain, source: Source, prefix: str = "bids", **options: int) -> tuple[SourceReport, dict[str, int]]:
    """Ingest and walk; return the report and what was done."""
    with monitoring.counting() as counts:
        limit = options.pop("limit", None)
        report = SourceIngest(chain, prefix, source, **options).run(limit=limit)
        found = outcomes(walk(chain))
    assert {outcome for stages in found.values() for outcome in stages.values()} <= {"built", "hit"}
    names = [*(f"stage_calls.{stage}" for stage in PER_UPLOAD_STAGES), "inflations", "offers_fetched"]
    return report, {name.removeprefix("stage_calls."): counts[name] for name in names if counts[name]}


ALL = {"raw": 3, "cache": 9, "features": 3, "notes": 3, "inflations": 6, "offers_fetched": 3}


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_what_is_held_is_not_fetched_again_whatever_moves(tree: Path, chain, workers: int) -> None:
    first, done = ingested(chain(), bids.source(str(tree), {}), workers=workers)
    assert (first.new, done) == (KEYS, ALL)
    again, done = ingested(chain(), bids.source(str(tree), {}), workers=workers)
    assert (again.held, again.new, done) == (KEYS, (), {})
    renamed = tree.rename(tree.with_name("renamed"))
    moved, done = ingested(chain(), bids.source(str(renamed), {}), workers=workers)
    assert (moved.new, moved.changed, done) == ((), (), {})


def test_a_touched_or_copied_file_is_fetched_and_costs_no_blob_and_no_stage(tree: Path, chain) -> None:
    ingested(chain(), bids.source(str(tree), {}))
    before = blobs(chain())
    os.utime(tree / IMAGES[0], (1, 1))
    report, done = ingested(chain(), bids.source(str(tree), {}))
    assert (report.changed, done) == (KEYS[:1], {"offers_fetched": 1})
    copied = tree.with_name("copied")
    shutil.copytree(tree, copied)
    report, done = ingested(chain(), bids.source(str(copied), {"replace": "true"}))
    assert (report.changed, done) == (KEYS, {"offers_fetched": 3})
    assert blobs(chain()) == before


def test_a_new_mask_rebuilds_its_scan_alone_and_leaves_the_images_blob(tree: Path, chain) -> None:
    ingested(chain(), bids.source(str(tree), {}))
    before = blobs(chain())
    put(tree / mask_path(IMAGES[1]), mask_of(77))
    report, done = ingested(chain(), bids.source(str(tree), {}))
    assert (report.changed, report.held) == (KEYS[1:2], (KEYS[0], KEYS[2]))
    assert done == {"raw": 1, "cache": 2, "features": 1, "notes": 1, "inflations": 1, "offers_fetched": 1}
    assert before.items() <= blobs(chain()).items()
    assert len(blobs(chain())) == len(before) + 1


def test_a_byte_written_in_place_is_seen_though_size_time_and_name_stay(tree: Path, chain) -> None:
    ingested(chain(), bids.source(str(tree), {}))
    mask = tree / mask_path(IMAGES[2])
    stat, data = mask.stat(), gzip.decompress(mask.read_bytes())
    changed = gzip.compress(data[:-1] + bytes([data[-1] ^ 1]), 6, mtime=0)
    assert len(changed) == stat.st_size
    with mask.open("r+b") as file:
        file.write(changed)
    os.utime(mask, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    report, done = ingested(chain(), bids.source(str(tree), {}))
    assert report.changed == KEYS[2:]
    assert done == {"raw": 1, "cache": 2, "features": 1, "notes": 1, "inflations": 1, "offers_fetched": 1}


def test_a_narrower_and_a_wider_filter_rebuild_nothing(tree: Path, chain) -> None:
    put_scan(tree, image_path("D", "1", "acq-tse3"), 9)
    wide = bids.source(str(tree), {"include_tse": "true"})
    assert len(ingested(chain(), wide)[0].new) == 4
    report, done = ingested(chain(), bids.source(str(tree), {}))
    assert (report.held, report.gone, done) == (KEYS, (), {})
    assert ingested(chain(), wide)[1] == {}


def test_the_same_bytes_from_rows_are_another_pairing_and_no_other_volume(tree: Path, tmp_path: Path, chain) -> None:
    ingested(chain(), bids.source(str(tree), {}))
    before = blobs(chain())
    write_rows(tmp_path / "rows" / "a.parquet", [row_of(name, "1", n) for n, name in enumerate("ABC")])
    report, done = ingested(chain(), parquet.source(str(tmp_path / "rows"), {}), "parquet")
    assert len(report.new) == 3
    assert done == {"raw": 3, "notes": 3, "offers_fetched": 3}
    assert blobs(chain()) == before
    names = {record.key.partition(".")[2] for record in chain().uploads.all()}
    assert names == {"sub-A_ses-1", "sub-B_ses-1", "sub-C_ses-1"}


def test_one_that_cannot_be_used_goes_to_quarantine_and_the_others_go_on(tree: Path, chain) -> None:
    put_scan(tree, image_path("A", "1", "run-2"), 8)
    outside = put(tree.parent / "outside.nii.gz", b"1")
    (tree / IMAGES[1]).unlink()
    (tree / IMAGES[1]).symlink_to(outside)
    damaged = annexed(tree, IMAGES[2])
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"\1")
    put_scan(tree, image_path("D", "1"), 4)
    report, _ = ingested(chain(), bids.source(str(tree), {}))
    assert report.new == ("bids.sub-D_ses-1",)
    rows = {row.key: row for row in chain().quarantine.rows()}
    codes = dict(zip(KEYS, ("ambiguous_pair", "unsafe_path", "digest_mismatch"), strict=True))
    assert set(rows) == set(codes)
    assert all(code in rows[key].reason and rows[key].remedy for key, code in codes.items())


def test_what_is_on_another_disk_is_left_for_the_next_time(tree: Path, chain) -> None:
    held = annexed(tree, IMAGES[0])
    content = held.read_bytes()
    held.unlink()
    report, _ = ingested(chain(), bids.source(str(tree), {}))
    assert (set(report.failed), report.new) == ({KEYS[0]}, KEYS[1:])
    put(held, content)
    assert ingested(chain(), bids.source(str(tree), {}))[0].new == KEYS[:1]


def test_a_limit_and_a_look_ahead_without_fetching(tree: Path, chain) -> None:
    source = bids.source(str(tree), {})
    seen = SourceIngest(chain(), "bids", source).preview()
    assert (seen.new, blobs(chain())) == (KEYS, {})
    assert len(ingested(chain(), source, limit=1)[0].new) == 1
    assert len(SourceIngest(chain(), "bids", source).preview().new) == 2


def test_a_wrong_number_fetches_nothing(tree: Path, chain) -> None:
    source = bids.source(str(tree), {"expect": "4"})
    report = SourceIngest(chain(), "bids", source).run()
    assert "expected 4 scans, got 3 of 3 visits" in str(report.incomplete)
    assert blobs(chain()) == {}
    with pytest.raises(SourceError, match="expected 4 scans"):
        SourceIngest(chain(), "bids", source).preview()


def test_the_sources_are_installed(tree: Path) -> None:
    assert prefixes("mri") == ["bids", "hf", "listing", "parquet"]
    assert open_source("mri", "bids", str(tree), {"expect": "3"}) == bids.source(str(tree), {"expect": "3"})
