"""What a window becomes on its way to the network."""

import dataclasses
import pickle

import numpy as np
import pytest
import torch

from bgb_assets.loading.randomness import Draw
from bgb_assets.modalities.eeg.electrodes import BIPOLAR18, CANONICAL
from bgb_assets.modalities.eeg.learning.data import (
    WeightedBatch,
    WindowReader,
    dropped,
    mirror_order,
    network_input,
    targets,
)
from bgb_assets.modalities.eeg.learning.variants import VARIANTS
from bgb_assets.runtime.errors import ContractError
from bgb_assets_tests.modalities.eeg.corpus_case import SCALE, Corpus

W, S = 15_360, 2_560
CHANGE = VARIANTS["ssm-tiny"].augmentation
PLAIN = dataclasses.replace(CHANGE, electrode_dropout=0.0, mirror=0.0, gain=(1.0, 1.0))


@pytest.fixture(scope="module")
def held(tmp_path_factory):
    corpus = Corpus(tmp_path_factory.mktemp("corpus"))
    signal = corpus.add("a_1", [W + 6 * S], [(30.0, 50.5)], split="train")
    return corpus.index(), signal


def draw(row=2, epoch=0):
    return Draw(1, epoch, row, 0)


def test_without_changes_the_network_is_given_the_stored_samples_in_their_unit(held):
    index, signal = held
    batch = WeightedBatch(1.5)([WindowReader(index)(2, draw()), WindowReader(index)(4, draw(4))])
    made, mask = network_input(batch)
    assert made.shape == (2, 19, W)
    np.testing.assert_allclose(made[0].T, signal[2 * S : 2 * S + W] * np.float32(SCALE), rtol=1e-6)
    assert mask.tolist() == [[channel != 3 for channel in range(19)]] * 2
    assert float(batch["pos_weight"]) == 1.5
    inside = np.clip(np.minimum(50.5 * 256 - 2 * S, W) - max(0, 30 * 256 - 2 * S), 0, W)
    assert float(targets(batch)[0].sum()) * 16 == inside


def test_a_mirrored_window_swaps_left_and_right_with_their_mask(held):
    index, _ = held
    mirrored = WindowReader(index, dataclasses.replace(PLAIN, mirror=1.0))
    collate = WeightedBatch(1.0)
    made, mask = network_input(collate([mirrored(2, draw())]))
    plain, _ = network_input(collate([WindowReader(index)(2, draw())]))
    places = {name: number for number, name in enumerate(CANONICAL)}
    assert torch.equal(made[0, places["F3"]], plain[0, places["F4"]])
    assert torch.equal(made[0, places["Cz"]], plain[0, places["Cz"]])
    assert not mask[0, places["P4"]], "P3 was absent"
    assert mask[0, places["P3"]]


def test_changes_are_drawn_anew_each_epoch_and_are_a_function_of_it(held):
    read = WindowReader(held[0], CHANGE)
    first, again, later = (read(2, draw(epoch=epoch)) for epoch in (0, 0, 1))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert first["scale"] != later["scale"]
    assert 0.8 * SCALE <= float(first["scale"]) <= 1.25 * SCALE * (1 + 1e-6)
    seen = [read(2, draw(epoch=epoch)) for epoch in range(60)]
    kept = np.mean([one["channel_mask"].sum() / 18 for one in seen])
    assert 0.85 < kept < 0.95
    assert 15 < sum(one["order"][1] != 1 for one in seen) < 45


def test_a_jittered_start_stays_within_the_recording_and_moves_the_labels(held):
    read = WindowReader(held[0], dataclasses.replace(PLAIN, jitter_s=5.0))
    starts = {int(read(0, draw(epoch=epoch))["start"]) for epoch in range(20)}
    assert len(starts) > 5
    assert min(starts) == 0
    assert max(starts) <= 5 * 256
    one = read(2, draw(epoch=3))
    inside = min(50.5 * 256, one["start"] + W) - max(30 * 256, one["start"])
    assert one["positives"].sum() == inside


def test_the_last_electrode_is_never_dropped():
    only = np.arange(19) == 5
    assert dropped(only, 1.0, np.random.default_rng(0)).tolist() == only.tolist()


def test_mirroring_twice_is_nothing_in_both_montages():
    for channels in (CANONICAL, ["-".join(pair) for pair in BIPOLAR18]):
        order = mirror_order(channels)
        assert (order[order] == np.arange(len(channels))).all()
        assert (order != np.arange(len(channels))).sum() == 16
    pairs = ["-".join(pair) for pair in BIPOLAR18]
    assert pairs[mirror_order(pairs)[pairs.index("Fp1-F7")]] == "Fp2-F8"
    with pytest.raises(ContractError, match=r"\['F3'\] have no counterpart"):
        mirror_order(["F3", "Cz"])


def test_a_reader_travels_to_another_process(held):
    read = WindowReader(held[0], dataclasses.replace(PLAIN, mirror=1.0), {0: "a"})
    read(2, draw())
    again = pickle.loads(pickle.dumps(read))
    assert again.patients == {0: "a"}
    assert np.array_equal(again(2, draw())["signal"], read(2, draw())["signal"])
