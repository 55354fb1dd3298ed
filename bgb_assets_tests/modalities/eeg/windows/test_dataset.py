import logging
import pickle
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, default_collate

from bgb_assets.modalities.eeg.windows.balance import NoSeizureError
from bgb_assets.modalities.eeg.windows.class_ratio import KnowsClassRatio, class_ratio, pos_weight
from bgb_assets.modalities.eeg.windows.dataset import BalancedSeizureDataset, collate
from bgb_assets.modalities.eeg.windows.index import WindowIndex
from bgb_assets.modalities.eeg.windows.windows import FULL, NO_SEIZURE, PARTIAL
from bgb_assets.runtime.errors import StoreError, UsageError
from bgb_assets_tests.modalities.eeg.corpus_case import SCALE, Corpus

W, S = 15_360, 2_560


def corpus_of(root: Path) -> tuple[Corpus, dict[str, np.ndarray]]:
    corpus = Corpus(root)
    signals = {
        "a_1": corpus.add("a_1", [W + 12 * S], [(30.0, 110.5)], split="train"),
        "a_2": corpus.add("a_2", [W + 5 * S, 5_000], [(40.0, 55.0)], split="train"),
        "b_1": corpus.add("b_1", [W + 20 * S], split="train"),
        "c_1": corpus.add("c_1", [W + 3 * S], [(20.0, 40.0)], split="val"),
    }
    return corpus, signals


def test_four_log_lines_of_a_corpus_of_known_size(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    category = np.repeat(np.array([PARTIAL, FULL, NO_SEIZURE], np.int8), [13_095, 9_000, 280_000])
    whole = np.ones(len(category), np.int32)
    index = SimpleNamespace(
        category=category, positives=whole, valid=whole, in_split=lambda name: np.ones(len(category), bool)
    )
    dataset = BalancedSeizureDataset(index)  # type: ignore[arg-type]
    ratio = class_ratio(dataset)
    assert ratio == 17_023 / 49_760
    assert round(pos_weight(ratio), 4) == 1.3868
    assert len(dataset) == 49_760
    assert isinstance(dataset, KnowsClassRatio)
    assert caplog.messages == [
        "[DATASET] BalancedSeizureDataset: 49760 windows from manifest",
        "[DATASET] Using BalancedSeizureDataset known distribution",
        "[DATASET] Seizure ratio: 34.2% (from manifest)",
        "[DATASET] Using pos_weight: 1.39 (sqrt scaling)",
    ]


def test_ratios_are_those_of_the_windows_that_are_read(tmp_path: Path) -> None:
    corpus, _ = corpus_of(tmp_path)
    dataset = BalancedSeizureDataset(corpus.index())
    for epoch in range(4):
        dataset.set_epoch(epoch)
        batch = collate(dataset.__getitems__(range(len(dataset))))
        positives = batch["positives"].numpy()
        assert dataset.seizure_ratio == np.mean(positives.any(axis=1))
        assert dataset.counts["positive_samples"] == positives.sum()
        assert dataset.counts["windows"] == len(dataset) == len(positives)
        assert [dataset.label(i) for i in range(len(dataset))] == positives.any(axis=1).tolist()
        assert 0 < dataset.positive_sample_ratio < dataset.seizure_ratio
        assert set(batch["recording"].tolist()) <= {0, 1, 2}, "a recording of another split was read"


def test_items_are_slices_of_the_signal(tmp_path: Path) -> None:
    corpus, signals = corpus_of(tmp_path)
    dataset = BalancedSeizureDataset(corpus.index(), background_ratio=100.0, full_ratio=100.0)
    whole = [signals[key] for key in sorted(signals)]
    seen = set()
    for number in range(len(dataset)):
        item = dataset[number]
        recording, start = int(item["recording"]), int(item["start"])
        expected = whole[recording][start : start + W]
        if (recording, start) == (1, W + 5 * S):
            expected = np.concatenate([expected, np.zeros((W - 5_000, 19), np.int16)])
            assert item["valid"].sum() == 313
        assert np.array_equal(item["signal"], expected)
        assert item["signal"].shape == (W, 19)
        assert item["valid"].shape == item["positives"].shape == (960,)
        assert item["scale"] == np.float32(SCALE)
        assert item["channel_mask"].tolist() == [channel != 3 for channel in range(19)]
        seen.add((recording, start))
    assert len(seen) == len(dataset)
    assert (1, W + 5 * S) in seen, "the short segment is there, padded"


def test_batch_has_the_documented_types_and_is_not_copied(tmp_path: Path) -> None:
    dataset = BalancedSeizureDataset(corpus_of(tmp_path)[0].index())
    found = dataset.__getitems__([0, 3, 5])
    batch = collate(found)
    kinds = {name: (tensor.dtype, tuple(tensor.shape)) for name, tensor in batch.items()}
    assert kinds == {
        "signal": (torch.int16, (3, W, 19)),
        "scale": (torch.float32, (3,)),
        "positives": (torch.uint8, (3, 960)),
        "channel_mask": (torch.bool, (3, 19)),
        "valid": (torch.bool, (3, 960)),
        "recording": (torch.int32, (3,)),
        "start": (torch.int64, (3,)),
    }
    assert batch["signal"].data_ptr() == found.arrays["signal"].ctypes.data
    for other in (collate([dataset[0], dataset[3], dataset[5]]), collate(list(found)), default_collate(found)):
        assert all(torch.equal(batch[name], other[name]) for name in batch)


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_workers_read_what_the_parent_reads_and_follow_its_epoch(tmp_path: Path, context: str) -> None:
    dataset = BalancedSeizureDataset(corpus_of(tmp_path)[0].index(), background_ratio=0.5)
    dataset[0]
    loader = DataLoader(
        dataset,
        batch_size=4,
        collate_fn=collate,
        num_workers=2,
        multiprocessing_context=context,
        persistent_workers=True,
    )
    for epoch in range(2):
        dataset.set_epoch(epoch)
        starts = torch.cat([batch["start"] for batch in loader])
        assert torch.equal(starts, collate(dataset.__getitems__(range(len(dataset))))["start"])
    assert not np.array_equal(dataset.draw.ids(0), dataset.draw.ids(1))


def test_pickled_copy_reads_the_same(tmp_path: Path) -> None:
    dataset = BalancedSeizureDataset(corpus_of(tmp_path)[0].index())
    copy = pickle.loads(pickle.dumps(dataset))
    assert np.array_equal(copy.ids, dataset.ids)
    assert all(np.array_equal(copy[2][name], dataset[2][name]) for name in dataset[2])


def test_start_up_opens_no_file_below_features(tmp_path: Path) -> None:
    corpus, _ = corpus_of(tmp_path)
    directory, _ = corpus.tokens()
    shutil.move(tmp_path / "features", tmp_path / "elsewhere")
    opened: list[str] = []
    hook_on = [True]

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if hook_on[0] and event == "open" and isinstance(arguments[0], str | bytes | Path):
            opened.append(str(arguments[0]))

    sys.addaudithook(hook)
    try:
        dataset = BalancedSeizureDataset(WindowIndex(tmp_path, directory))
        weight = pos_weight(class_ratio(dataset))
        assert len(dataset) == dataset.counts["windows"]
        assert weight >= 1.0
        assert dataset.positive_sample_ratio > 0
        with pytest.raises(StoreError, match="materialize eeg/features again"):
            dataset[0]
    finally:
        hook_on[0] = False
    below = [path for path in opened if "/features/" in path]
    assert len(below) == 1, "the one that the item asked for"
    assert opened.index(below[0]) == max(i for i, path in enumerate(opened) if str(tmp_path) in path)
    assert any("index.json" in path for path in opened), "the hook saw what was opened"


def test_signal_that_was_cut_short_is_not_read_past_its_end(tmp_path: Path) -> None:
    corpus, _ = corpus_of(tmp_path)
    index = corpus.index()
    path = tmp_path / corpus.members["a_1"].entries["features"].location / "signal.i16"
    path.write_bytes(path.read_bytes()[:-2])
    index.read([0])
    with pytest.raises(StoreError, match="bgb cache verify"):
        index.read([12])


def test_no_seizure_stops_before_training(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path)
    corpus.add("a_1", [W + S], split="train", written=False)
    corpus.add("b_1", [W + S], [(1.0, 20.0)], split="val", written=False)
    index = corpus.index()
    with pytest.raises(NoSeizureError):
        BalancedSeizureDataset(index)
    assert len(BalancedSeizureDataset(index, "val")) == 2
    with pytest.raises(UsageError, match="'dev'"):
        BalancedSeizureDataset(index, "dev")


def test_full_windows_in_place_of_partial_ones_are_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    corpus = Corpus(tmp_path)
    corpus.add("a_1", [W], [(0.0, 60.0)], split="train", written=False)
    corpus.add("a_2", [W], split="train", written=False)
    dataset = BalancedSeizureDataset(corpus.index())
    assert dataset.counts["seizure"] == 1
    assert [record.message for record in caplog.records if record.levelno == logging.WARNING] == [
        "[DATASET] no window of train holds part of a seizure: full ones take their place"
    ]


def test_shifted_windows_stay_in_their_segment(tmp_path: Path) -> None:
    corpus, signals = corpus_of(tmp_path)
    index = corpus.index()
    ids = np.flatnonzero(index.recording == 1)
    for shift in (-1_280, 0, 700, 1_280):
        batch = index.read(ids, np.full(len(ids), shift))
        last = W + 5 * S - W
        assert batch["start"].tolist() == [min(max(0, S * i + shift), last) for i in range(6)] + [W + 5 * S]
        for row, start in enumerate(batch["start"].tolist()[:6]):
            assert np.array_equal(batch["signal"][row], signals["a_2"][start : start + W])
            inside = np.arange(start, start + W)
            label = (inside >= 40 * 256) & (inside < 55 * 256)
            assert batch["positives"][row].tolist() == label.reshape(-1, 16).sum(1).tolist()
