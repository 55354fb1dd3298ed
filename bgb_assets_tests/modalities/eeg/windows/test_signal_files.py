import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bgb_assets.modalities.eeg.manifest_params import ManifestParams
from bgb_assets.modalities.eeg.windows.signal_files import SignalFiles
from bgb_assets.runtime.errors import StoreError
from bgb_assets_tests.modalities.eeg.corpus_case import write_many

ITERATE = """
import json, os, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))
from pathlib import Path
import torch
from torch.utils.data import DataLoader
from bgb_assets.modalities.eeg.windows.dataset import BalancedSeizureDataset, collate
from bgb_assets.modalities.eeg.windows.index import WindowIndex
from bgb_assets.runtime.memory import rss_anon_bytes

def descriptors():
    return len(os.listdir("/proc/self/fd"))

def state(samples):
    batch = collate(samples)
    read = batch["positives"].sum(dtype=torch.int64)
    return len(batch["start"]), int(read), descriptors(), rss_anon_bytes()

before, held = rss_anon_bytes(), descriptors()
index = WindowIndex(Path(sys.argv[1]), Path(sys.argv[2]))
whole = BalancedSeizureDataset(index, full_ratio=1e9, background_ratio=1e9)
# Forked: what the parent holds counts as the worker's.
loader = DataLoader(whole, batch_size=64, shuffle=True, num_workers=1, multiprocessing_context="fork", collate_fn=state)
counts, read, opened, anonymous = zip(*loader)
print(json.dumps([sum(counts), sum(read), max(opened) - held, (max(anonymous) - before) >> 20]))
"""


def files(root: Path, count: int) -> tuple[SignalFiles, list[np.ndarray]]:
    arrays = [np.random.default_rng(number).integers(-9, 9, (50 + number, 3), np.int16) for number in range(count)]
    paths = [root / f"{number}.i16" for number in range(count)]
    for path, array in zip(paths, arrays, strict=True):
        path.write_bytes(array.astype("<i2").tobytes())
    return SignalFiles(paths, [array.shape for array in arrays], most_open=2), arrays


def descriptors() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def test_pieces_are_read_whatever_is_open(tmp_path: Path) -> None:
    signals, arrays = files(tmp_path, 5)
    random = np.random.default_rng(0)
    for _ in range(200):
        number, start = int(random.integers(5)), int(random.integers(40))
        out = np.empty((int(random.integers(0, 10)), 3), np.int16)
        signals.read_into(out, number, start)
        assert np.array_equal(out, arrays[number][start : start + len(out)])
    signals.close()
    again = pickle.loads(pickle.dumps(signals))
    out = np.empty((10, 3), np.int16)
    again.read_into(out, 4, 44)
    assert np.array_equal(out, arrays[4][44:])


def test_files_read_longest_ago_are_closed(tmp_path: Path) -> None:
    signals, _ = files(tmp_path, 5)
    before = descriptors()
    for number in range(5):
        signals.read_into(np.empty((1, 3), np.int16), number, 0)
    assert descriptors() == before + 2
    signals.close()
    assert descriptors() == before


def test_missing_and_short_files_say_what_to_do(tmp_path: Path) -> None:
    signals, _ = files(tmp_path, 2)
    with pytest.raises(StoreError, match=r"0\.i16: ends at byte 300, 6 more were to be read; run `bgb cache verify`"):
        signals.read_into(np.empty((2, 3), np.int16), 0, 49)
    (tmp_path / "1.i16").unlink()
    with pytest.raises(StoreError, match="materialize eeg/features again"):
        signals.read_into(np.empty((1, 3), np.int16), 1, 0)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts descriptors in /proc")
@pytest.mark.parametrize("recordings", [500, pytest.param(7_000, marks=pytest.mark.slow)])
def test_a_worker_takes_few_descriptors_and_no_memory_for_many_small_recordings(
    tmp_path: Path, recordings: int
) -> None:
    windows = 43
    params = ManifestParams(window_s=0.0625, stride_s=1 / 256)
    tokens = write_many(tmp_path, recordings, 16 + windows - 1, params)
    done = subprocess.run(
        [sys.executable, "-c", ITERATE, str(tmp_path), str(tokens)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    count, positives, descriptors, grown_mib = json.loads(done.stdout)
    assert count == recordings * windows
    label = np.zeros(16 + windows - 1)
    label[58 * 2 // 5 : 58 * 3 // 5] = 1
    assert positives == recordings // 10 * sum(int(label[at : at + 16].sum()) for at in range(windows))
    assert descriptors <= 64
    assert grown_mib <= 200
