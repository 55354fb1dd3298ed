"""What it costs to take scans in: bytes checked, hashed and kept as they are, against loading and saving them again.

The peer is what scripts for data sets do: load each image with nibabel, take its values, save it. Over the two heads of
open_ms with their masks and the 60 masks of LESYMAP. One thread, seconds of the processor, files warm.

    python -m bgb_assets_tests.benchmarks.bench_mri_passthrough [--small] [--repeats 3]

Arms take turns; a ratio is the median of the ratios of one turn.
"""

import os

# Before numpy: all arms get one thread.
os.environ.update({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"})

import argparse
import json
import shutil
import tempfile
import time
import zlib
from collections.abc import Sequence
from pathlib import Path

import nibabel

from bgb_assets.modalities.mri import cache, raw
from bgb_assets.modalities.mri.scans.gzip_stream import BLOCK_BYTES, ScanBytes
from bgb_assets_tests.benchmarks.measured import gate, in_turns, ratio, show
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.mri.uploads import IMAGE, MASK

PEER, KEPT, DIGESTED = "peer: load, get_fdata, save", "raw, bytes kept", "raw and cache, volumes digested"
_WITH_GZIP_HEADER = 31


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="only see that it runs")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench_mri_") as folder:
        uploads = lay_out(Path(folder) / "in", 2 if options.small else 60)
        passthrough(uploads, Path(folder), 1 if options.small else options.repeats)
        inflating(uploads, 1 if options.small else options.repeats)


def lay_out(folder: Path, n_masks: int) -> list[Path]:
    """Copy the fixtures into a folder each."""
    data = shared_data("mri")
    masks = sorted((data / "lesymap").glob("*.nii.gz"))[:n_masks]
    files = [{MASK: path} for path in masks]
    for head in sorted((data / "open_ms").glob("patient*")):
        (image,), (mask,) = head.glob("T2*"), head.glob("GOLD*")
        files.append({IMAGE: image, MASK: mask})
    for number, named in enumerate(files):
        (folder / str(number)).mkdir(parents=True)
        for name, path in named.items():
            shutil.copyfile(path, folder / str(number) / name)
    return sorted(folder.iterdir())


def passthrough(uploads: Sequence[Path], work: Path, repeats: int) -> None:
    """All uploads by each arm."""
    arms = {
        PEER: lambda: saved_again(uploads, emptied(work / "peer")),
        KEPT: lambda: kept(uploads, emptied(work / "kept")),
        DIGESTED: lambda: digested(uploads, emptied(work / "digested")),
    }
    taken = in_turns(arms, repeats, clock=time.process_time)
    n_bytes = sum(path.stat().st_size for upload in uploads for path in upload.iterdir())
    show(f"{len(uploads)} scans, {n_bytes / 1e6:.1f} MB, seconds of the processor", taken)
    gate(23, "load, get_fdata, save / checked, hashed, kept", ratio(taken[PEER], taken[KEPT]), at_least=20)
    print(f"  with the digest of every volume, once a file: {ratio(taken[PEER], taken[DIGESTED]):.1f} x")


def saved_again(uploads: Sequence[Path], out: Path) -> None:
    """Do what the peer does."""
    for upload in uploads:
        for path in upload.iterdir():
            image = nibabel.load(path)
            nibabel.save(nibabel.Nifti1Image(image.get_fdata(), image.affine, image.header), out / path.name)


def kept(uploads: Sequence[Path], out: Path) -> None:
    """Stage raw, and the bytes copied under their digests."""
    for number, upload in enumerate(uploads):
        summary = run_raw(upload, out / str(number))
        for role in ("image", "mask"):
            if summary[role] is not None:
                (out / str(number) / role).mkdir()
                cache.keep(upload, summary[role], out / str(number) / role)


def digested(uploads: Sequence[Path], out: Path) -> None:
    """Stages raw and cache."""
    for number, upload in enumerate(uploads):
        run_raw(upload, out / str(number))
        (out / str(number) / "cache").mkdir()
        cache.run({"upload": upload, "raw": out / str(number)}, None, out / str(number) / "cache")


def run_raw(upload: Path, out: Path) -> dict:
    """Run stage raw and return what it wrote."""
    out.mkdir()
    raw.run({"upload": upload}, raw.RawParams(), out)
    return json.loads((out / raw.SCAN_FILE).read_text())


def emptied(folder: Path) -> Path:
    """Return the folder without what was in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def inflating(uploads: Sequence[Path], repeats: int) -> None:
    """The same files inflated as the stages do, and by the standard library, both a block at a time."""
    paths = [path for upload in uploads for path in upload.iterdir()]
    arms = {
        "zlib": lambda: sum(inflated_by_zlib(path) for path in paths),
        "isal": lambda: sum(len(block) for path in paths for block in ScanBytes(path)),
    }
    assert arms["zlib"]() == arms["isal"]()
    show(f"{len(paths)} files inflated", in_turns(arms, repeats, clock=time.process_time))


def inflated_by_zlib(path: Path) -> int:
    """Return the bytes of one file."""
    member, data, n_bytes = zlib.decompressobj(_WITH_GZIP_HEADER), path.read_bytes(), 0
    while data:
        n_bytes += len(member.decompress(data, BLOCK_BYTES))
        data = member.unconsumed_tail
    return n_bytes


if __name__ == "__main__":
    main()
