"""How fast a scan becomes features and a lesion's volume is counted, the memory it takes, and how that scales.

The peers are what scripts do: `get_fdata() > 0` for a volume; for features `nibabel.processing.conform` of the image
(order 1), `resample_from_to` of the mask (order 0) and `np.savez_compressed` of both as float32. All on real scans.

    python -m bgb_assets_tests.benchmarks.bench_mri_features [--small] [--repeats 5] [--only 25|26]

One thread. Arms take turns; a ratio is the median of the ratios of one turn.
"""

import os

# Before numpy: all arms get one thread.
os.environ.update({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"})

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.processing import conform, resample_from_to

from bgb_assets.modalities.mri import features
from bgb_assets.modalities.mri.conform.params import ConformParams
from bgb_assets.modalities.mri.lesions.counting import count_lesion
from bgb_assets.modalities.mri.scans.volumes import open_voxels
from bgb_assets.runtime.executor import Bounds, Task
from bgb_assets.runtime.executor_local import LocalProcessExecutor
from bgb_assets.runtime.memory import worker_environment
from bgb_assets_tests.benchmarks.bench_beatmap_memory import peak
from bgb_assets_tests.benchmarks.bench_beatmap_scaling import CONTROL_ROUNDS, only_compute
from bgb_assets_tests.benchmarks.measured import gate, in_turns, ratio, show
from bgb_assets_tests.modalities.mri.cached_scans import cached, head, oblique, strokes, write_volume

SHAPE = (256, 256, 256)
SCANS = 12


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="only see that it runs")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", type=int, choices=(25, 26), help="one gate")
    parser.add_argument("--probe", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.probe:
        print(json.dumps(probe(*map(Path, options.probe))))
        return
    repeats = 1 if options.small else options.repeats
    if options.only != 26:
        volumes(repeats, 3 if options.small else None)
    if options.only != 25:
        with tempfile.TemporaryDirectory(prefix="bench_mri_") as folder:
            speed(Path(folder), repeats)
            memory(Path(folder))
            scaling(Path(folder), repeats, 2 if options.small else SCANS)


def volumes(repeats: int, first: int | None) -> None:
    """Count the lesion voxels of all masks."""
    masks = [*strokes(), *(head(patient)[1] for patient in ("patient07", "patient19")), oblique()[1]][-(first or 0) :]
    ours, theirs = [count(path) for path in masks], [count_by_nibabel(path) for path in masks]
    if ours != theirs:
        raise SystemExit(f"counts differ: {ours} {theirs}")
    arms = {
        "get_fdata() > 0": lambda: [count_by_nibabel(path) for path in masks],
        "in the stored type": lambda: [count(path) for path in masks],
    }
    taken = in_turns(arms, repeats, warm=0)
    show(f"lesion voxels of {len(masks)} masks, {sum(ours)} in all", taken)
    gate(25, "lesion volume: get_fdata() / ours", ratio(*taken.values()), at_least=4)


def count(path: Path) -> int:
    """Count as stage notes does."""
    volume = open_voxels(path)
    return count_lesion(volume.voxels, volume.header.slope, volume.header.inter)


def count_by_nibabel(path: Path) -> int:
    """Count as scripts do."""
    return int((nib.load(path).get_fdata() > 0).sum())


def speed(work: Path, repeats: int) -> None:
    """A pair of one millimetre, and an oblique image of thick slices."""
    cases = {"pair": (head("patient07"), 5), "oblique image": ((oblique()[0], None), 8)}
    for name, (paths, at_least) in cases.items():
        cache = cached(work / name, *paths)
        arms = {
            "peer: conform, resample, NPZ": lambda paths=paths: by_nibabel(*paths, work / "peer.npz"),
            "stage features": lambda cache=cache: run(cache, work / "features"),
        }
        taken = in_turns(arms, repeats)
        show(f"features of {name}", taken)
        gate(26, f"features of {name}: peer / ours", ratio(*taken.values()), at_least=at_least)


def by_nibabel(image: Path, mask: Path | None, out: Path) -> None:
    """Conform as scripts do."""
    loaded = nib.load(image)
    whole = conform(nib.Nifti1Image(loaded.get_fdata(dtype=np.float32), loaded.affine), SHAPE, order=1)
    arrays = {"image": whole.get_fdata(dtype=np.float32)}
    if mask is not None:
        arrays["mask"] = resample_from_to(nib.load(mask), whole, order=0).get_fdata(dtype=np.float32)
    np.savez_compressed(out, **arrays)


def run(cache: Path, out: Path) -> None:
    """Run the stage into an emptied folder."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    features.run({"cache": cache}, ConformParams(), out)


def memory(work: Path) -> None:
    """What each scan takes in a worker, above what it takes when idle."""
    write_large(work)
    for name in ("pair", "oblique image", "large pair"):
        command = [sys.executable, "-m", __spec__.name, "--probe", str(work / name), str(work / "probed")]
        done = subprocess.run(
            command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ | worker_environment()
        )
        found = json.loads(done.stdout.splitlines()[-1])
        gate(26, f"features of {name}: peak above the idle worker", found["mib"], at_most=400, unit="MiB")


def write_large(work: Path) -> None:
    """Write a pair of float32 volumes as large as the grid, oblique, of other spacing: all of it is interpolated."""
    tilt = np.array([[0.88, -0.1, 0, 0], [0.1, 0.88, 0, 0], [0, 0, 0.9, 0], [0, 0, 0, 1]])
    image = np.random.default_rng(0).normal(100, 20, SHAPE).astype(np.float32)
    mask = np.zeros(SHAPE, np.float32)
    mask[80:160, 80:160, 80:160] = 1
    paths = write_volume(work / "large.nii", image, tilt), write_volume(work / "large_mask.nii", mask, tilt)
    cached(work / "large pair", *paths)


def probe(cache: Path, out: Path) -> dict[str, float]:
    """Measure in this process: it has imported all and conformed nothing yet."""
    import isal.isal_zlib  # noqa: F401
    import nibabel.affines
    import nibabel.orientations  # noqa: F401

    with peak() as found:
        run(cache, out)
    return {"mib": found[0]}


def scaling(work: Path, repeats: int, scans: int) -> None:
    """Two workers against one, beside a control that only computes."""
    caches = [str(work / name) for name in ("pair", "oblique image")]
    given = [caches[number % 2] for number in range(scans)]
    with LocalProcessExecutor(Bounds(1)) as one, LocalProcessExecutor(Bounds(2)) as two:
        arms = {
            "scans, one worker": lambda: work_on(one, conform_scan, given),
            "scans, two": lambda: work_on(two, conform_scan, given),
            "control, one worker": lambda: work_on(one, only_compute, [CONTROL_ROUNDS] * scans),
            "control, two": lambda: work_on(two, only_compute, [CONTROL_ROUNDS] * scans),
        }
        taken = in_turns(arms, repeats)
    show(f"features of {scans} scans, and a control that only computes", taken)
    gain = ratio(taken["scans, one worker"], taken["scans, two"])
    control = ratio(taken["control, one worker"], taken["control, two"])
    what = f"gain of 2 workers on scans ({gain:.2f}) / on pure compute ({control:.2f})"
    gate(26, what, gain / control, at_least=0.85)


def conform_scan(cache: str) -> int:
    """Conform one scan in a worker; returns the number of files."""
    with tempfile.TemporaryDirectory() as folder:
        run(Path(cache), Path(folder) / "features")
        return len(list((Path(folder) / "features").iterdir()))


def work_on(executor: LocalProcessExecutor, function: Callable[..., object], payloads: list[object]) -> None:
    """Map a function over the payloads; every call must succeed."""
    # Run as a script this module is `__main__`, which a worker would not find.
    module = __spec__.name if function.__module__ == "__main__" else function.__module__
    tasks = (Task(str(number), payload) for number, payload in enumerate(payloads))
    for done in executor.map(f"{module}:{function.__name__}", tasks):
        if done.failure is not None:
            raise RuntimeError(done.failure.message)


if __name__ == "__main__":
    main()
