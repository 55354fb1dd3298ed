import json

import numpy as np
import pytest
import torch

from bgb_assets.loading.dataset import Sample
from bgb_assets.loading.order import SampleIndex
from bgb_assets.modalities.beatmap.learning.confusion import MAX_WINDOWS, confusion, write_confusion
from bgb_assets.modalities.beatmap.sequences import vocabulary as v
from bgb_assets.modalities.beatmap.sequences.token_classes import CONFUSION_FILE, NAMES, class_of_id
from bgb_assets.training.spec import TrainingData

LENGTH = 5


def read(row: int, draw: object) -> Sample:
    """A window of one row of ids that depend on the row, its first target not counted."""
    tokens = np.random.default_rng(row).integers(0, v.SIZE, LENGTH)
    return {"tokens": tokens, "counted": np.arange(LENGTH) > 0}


def collate(samples):
    return {name: torch.from_numpy(np.stack([sample[name] for sample in samples])) for name in samples[0]}


def data_of(count):
    index = SampleIndex(np.arange(count), np.full(count, LENGTH), np.ones(count))
    return TrainingData(index, index, read, read, collate)


class Constant(torch.nn.Module):
    """Predicts one id, whatever was before."""

    def __init__(self, token: int):
        super().__init__()
        self.token = token


def predict(model, batch):
    logits = torch.zeros(*batch["tokens"].shape, v.SIZE)
    logits[..., model.token] = 1.0
    return logits, batch["tokens"], batch["counted"]


def test_counts_are_those_of_a_plain_loop():
    counts = confusion(Constant(v.BAR), data_of(7), predict, 3)
    expected = np.zeros((len(NAMES), len(NAMES)), int)
    for row in range(7):
        sample = read(row, None)
        for target in sample["tokens"][sample["counted"]]:
            expected[class_of_id()[target], NAMES.index("bar")] += 1
    assert counts.tolist() == expected.tolist()
    assert counts.sum() == 7 * (LENGTH - 1)


@pytest.mark.parametrize(("samples", "looked_at"), [(0, 0), (1, 1), (MAX_WINDOWS + 40, MAX_WINDOWS)])
def test_the_file_says_how_many_windows_were_looked_at(tmp_path, samples, looked_at):
    write_confusion(tmp_path, Constant(v.EOS), data_of(samples), predict, 64)
    content = json.loads((tmp_path / CONFUSION_FILE).read_bytes())
    assert content["classes"] == list(NAMES)
    assert (content["windows"], content["of"]) == (looked_at, samples)
    assert np.sum(content["counts"]) == looked_at * (LENGTH - 1)


def test_the_same_model_gives_the_same_bytes_in_batches_of_any_size(tmp_path):
    for batch in (1, 4):
        (tmp_path / str(batch)).mkdir()
        write_confusion(tmp_path / str(batch), Constant(v.EOS), data_of(6), predict, batch)
    assert (tmp_path / "1" / CONFUSION_FILE).read_bytes() == (tmp_path / "4" / CONFUSION_FILE).read_bytes()
