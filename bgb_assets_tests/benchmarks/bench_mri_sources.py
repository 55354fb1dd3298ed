"""What fetching scans costs: chosen columns of chosen rows, and memory while much passes through.

Rows of Parquet: 8 visits, each with a T2w image of open_ms and five 4-D series of 12 MB, 2 of them with a lesion. The
peer goes through the rows, decodes every image of each and saves the pairs, as scripts over data sets do. Memory: an
ingest of 2 GiB from a BIDS folder, and of as much in row groups of 32 scans, in a process each.

    python -m bgb_assets_tests.benchmarks.bench_mri_sources [--small] [--repeats 3]

Arms take turns; a ratio is the median of the ratios of one turn. One thread, files warm.
"""

import os

# Before numpy: all arms get one thread.
os.environ.update({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"})

import argparse
import gzip
import io
import json
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import nibabel
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bgb_assets.chain import Chain
from bgb_assets.engine.sources import SourceIngest
from bgb_assets.modalities.mri.sources import bids, parquet
from bgb_assets.modalities.mri.sources.plan import Origin
from bgb_assets.modalities.mri.sources.storage import LocalFolder
from bgb_assets.modalities.mri.sources.visits import SourceFile
from bgb_assets.runtime.executor import InProcessExecutor
from bgb_assets.runtime.memory import rss_anon_bytes
from bgb_assets.runtime.settings import load_settings
from bgb_assets_tests.benchmarks.measured import gate, in_turns, ratio, show
from bgb_assets_tests.modalities.mri.first_stages import MODALITY
from bgb_assets_tests.modalities.mri.nifti_files import nifti, patient
from bgb_assets_tests.modalities.mri.sources.source_case import (
    LISTS,
    SCHEMA,
    file_of,
    image_path,
    mask_path,
    row_of,
)

ROWS, LABELLED, SERIES_BYTES = 8, (2, 5), 12_000_000
SCAN_SHAPE, GROUP = (128, 128, 128), 32
PEER, OURS = "peer: decode all, save pairs", "plan and fetch"
MIB = 1 << 20


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="only see that it runs")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--ingest", nargs=3, metavar=("PREFIX", "FOLDER", "WORKERS"), help="one arm of the memory")
    options = parser.parse_args()
    if options.ingest:
        prefix, folder, workers = options.ingest
        print(json.dumps(ingest(prefix, Path(folder), int(workers))))
        return
    with tempfile.TemporaryDirectory(prefix="bench_mri_") as folder:
        rows(Path(folder), options.small, 1 if options.small else options.repeats)
    with tempfile.TemporaryDirectory(prefix="bench_mri_") as folder:
        memory(Path(folder), 2 * GROUP if options.small else (2 << 30) // (4 * MIB))


def rows(work: Path, small: bool, repeats: int) -> None:
    """Chosen rows against all rows, and the bytes that are read for them."""
    table = write_visits(work / "rows" / "visits.parquet", SERIES_BYTES // (100 if small else 1))
    taken = in_turns(
        {PEER: lambda: decoded(table, emptied(work / "peer")), OURS: lambda: fetched(table, emptied(work / "ours"))},
        repeats,
    )
    show(f"{ROWS} visits, {table.stat().st_size / 1e6:.0f} MB, {len(LABELLED)} wanted", taken)
    gate(24, "decode every column, save the pair / plan and fetch", ratio(taken[PEER], taken[OURS]), at_least=20)
    n_read = fetched(table, emptied(work / "counted"))
    needed = needed_bytes(table)
    print(f"  {n_read} bytes read, chosen chunks and footer are {needed}")
    gate(24, "bytes read / chosen chunks and footer", n_read / needed, at_most=1.1)


def write_visits(path: Path, series_bytes: int) -> Path:
    """Write a row group per visit."""
    rng = np.random.default_rng(0)
    frames = max(1, series_bytes // (64 * 64 * 36 * 2))
    series = rng.integers(0, 1 << 15, (64, 64, 36, frames), dtype="<i2")
    noise = gzip.compress(nifti(series), 1, mtime=0)
    image, mask = patient("19", "T2").read_bytes(), patient("19", "GOLD").read_bytes()
    name = Path(image_path("A", "1")).name
    path.parent.mkdir(parents=True)
    with pq.ParquetWriter(path, SCHEMA) as writer:
        for number in range(ROWS):
            row = row_of(f"M{number}", "1", 0, t2w=[file_of(image, name)], lesion=None)
            if number in LABELLED:
                row["lesion"] = file_of(mask, Path(mask_path(name)).name)
            row["bold_naming40"] = row["bold_rest"] = [file_of(noise, "x_bold.nii.gz")] * 2
            row["dwi"] = [file_of(noise, "x_dwi.nii.gz")]
            writer.write_table(pa.Table.from_pylist([{field: row.get(field) for field in SCHEMA.names}], SCHEMA))
    return path


def decoded(table: Path, out: Path) -> None:
    """Do what the peer does."""
    with pq.ParquetFile(table) as file:
        for group in range(file.num_row_groups):
            for row in file.read_row_group(group).to_pylist():
                images = {name: [opened(item) for item in row[name] or []] for name in LISTS}
                if row["lesion"] is not None:
                    for image in (images["t2w"][0], opened(row["lesion"])):
                        kind = nibabel.Nifti1Image(image.get_fdata(), image.affine, image.header)
                        nibabel.save(kind, out / f"{group}_{len(list(out.iterdir()))}.nii.gz")


def opened(item: dict) -> nibabel.Nifti1Image:
    """Decode one image, voxels and all."""
    image = nibabel.Nifti1Image.from_bytes(gzip.decompress(item["bytes"]))
    image.get_fdata()
    return image


@dataclass(frozen=True)
class Counting:
    """A storage that counts the bytes read of it."""

    inner: LocalFolder
    reads: list[int] = field(default_factory=list)

    def tables(self) -> tuple[str, Sequence[SourceFile]]:
        """As the folder has them."""
        return self.inner.tables()

    def open(self, path: str, version: str | None = None) -> BinaryIO:
        """Open a file that notes what is read."""
        with self.inner.open(path, version) as file:
            return CountedFile(file.name, self.reads)


class CountedFile(io.FileIO):
    """Notes how many bytes each read gave."""

    def __init__(self, path: str, reads: list[int]) -> None:
        super().__init__(path)
        self._reads = reads

    def read(self, size: int = -1) -> bytes:
        """Read, and note."""
        data = super().read(size)
        self._reads.append(len(data))
        return data


def fetched(table: Path, out: Path) -> int:
    """Plan and fetch as an ingest would; return the bytes read."""
    storage = Counting(LocalFolder(table.parent.resolve()))
    source = parquet.ParquetRows(storage, Origin("parquet", str(table)))
    offers = list(source.plan({}, out / "work"))
    assert len(offers) == len(LABELLED)
    for number, offer in enumerate(offers):
        (out / str(number)).mkdir()
        source.fetch(offer, out / "work", out / str(number))
    return sum(storage.reads)


def needed_bytes(table: Path) -> int:
    """Return the bytes of the footer and of the column chunks of chosen rows."""
    known = pq.read_metadata(table)
    chunks = [known.row_group(group).column(number) for group in LABELLED for number in range(known.num_columns)]
    wanted = [chunk for chunk in chunks if chunk.path_in_schema.split(".")[0] in ("t2w", "lesion")]
    return int(known.serialized_size + sum(chunk.total_compressed_size for chunk in wanted))


def memory(work: Path, n_scans: int) -> None:
    """Peak memory of ingests, above that of the process before."""
    write_scans(work / "bids", n_scans)
    for prefix, writing in (("bids", None), ("parquet", rows_of_scans)):
        if writing is not None:
            writing(work / "bids", work / prefix)
            shutil.rmtree(work / "bids")
        peaks = {}
        for workers in (1, 4, 8):
            command = [sys.executable, "-m", __spec__.name, "--ingest", prefix, str(work / prefix), str(workers)]
            done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=work)
            peaks[workers] = json.loads(done.stdout.splitlines()[-1])
            print(f"  {prefix}, {workers} workers: {peaks[workers]['n']} scans, {peaks[workers]['mib']:.0f} MiB")
        gate(
            28, f"{prefix}: peak memory above idle", max(one["mib"] for one in peaks.values()), at_most=512, unit="MiB"
        )


def write_scans(root: Path, n_scans: int) -> None:
    """Write a BIDS folder of scans of 4 MiB that no compression makes smaller."""
    rng = np.random.default_rng(0)
    for number in range(n_scans):
        image = image_path(f"M{number}", "1").removesuffix(".gz")
        for path, shape in ((image, SCAN_SHAPE), (mask_path(f"{image}.gz").removesuffix(".gz"), (16, 16, 16))):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(nifti(rng.integers(0, 1 << 15, shape, dtype="<i2")))


def rows_of_scans(tree: Path, folder: Path) -> None:
    """Write the scans of a BIDS folder as rows."""
    images = sorted(tree.glob("sub-*/**/*_T2w.nii"))
    folder.mkdir()
    for first in range(0, len(images), GROUP):
        with pq.ParquetWriter(folder / f"{first:05d}.parquet", SCHEMA, compression="none") as writer:
            batch = []
            for image in images[first : first + GROUP]:
                path = image.relative_to(tree).as_posix()
                mask = tree / mask_path(f"{path}.gz").removesuffix(".gz")
                row = row_of(image.parts[-4].removeprefix("sub-"), "1", 0)
                row |= {
                    "t2w": [file_of(image.read_bytes(), image.name)],
                    "lesion": file_of(mask.read_bytes(), mask.name),
                }
                batch.append({name: row.get(name) for name in SCHEMA.names})
            writer.write_table(pa.Table.from_pylist(batch, SCHEMA), row_group_size=GROUP)


def ingest(prefix: str, folder: Path, workers: int) -> dict[str, float]:
    """Ingest into a data root of its own; return how many scans came and the peak."""
    kind = {"bids": bids, "parquet": parquet}[prefix]
    with tempfile.TemporaryDirectory(prefix="bench_mri_", dir=folder.parent) as root:
        chain = Chain(MODALITY, load_settings({"BGB_DATA_ROOT": root}), InProcessExecutor())
        source = kind.source(str(folder), {})
        with peak() as found:
            report = SourceIngest(chain, prefix, source, workers=workers).run()
    return {"n": len(report.new), "mib": found[0]}


@contextmanager
def peak() -> Iterator[list[float]]:
    """Collect how many MiB the process has at most above what it had at the start."""
    before, found, done = rss_anon_bytes(), [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.002):
            found[0] = max(found[0], (rss_anon_bytes() - before) / MIB)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        done.set()
        thread.join()


def emptied(folder: Path) -> Path:
    """Return the folder without what was in it."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "work").mkdir(parents=True)
    return folder


if __name__ == "__main__":
    main()
