"""What a recording scores does not depend on how it was cut into windows."""

import numpy as np
import pytest
import torch

from bgb_assets.modalities.eeg.detection import inference
from bgb_assets.modalities.eeg.detection.postprocess import PostprocessParams
from bgb_assets.modalities.eeg.learning.recordings import hear
from bgb_assets.modalities.eeg.manifest_params import ManifestParams
from bgb_assets.modalities.eeg.scoring.evaluation import Recording, evaluate
from bgb_assets.modalities.eeg.scoring.metrics import Figure, Metric, Scorer
from bgb_assets_tests.modalities.eeg.corpus_case import Corpus

W = 15_360


class Around(torch.nn.Module):
    """Certain of a seizure wherever the first channel says so, whatever window it is heard in."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = torch.nn.Parameter(torch.tensor(10.0))

    def forward(self, signal: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return self.gain * (2 * torch.nn.functional.avg_pool1d(signal[:, :1], 16)[:, 0] - 1)


@pytest.mark.parametrize("stride_s", [5.0, 10.0, 30.0, 60.0])
@pytest.mark.parametrize("heard_every_s", [10, 30])
def test_one_false_alarm_of_half_an_hour_is_48_a_day_whatever_the_stride(
    tmp_path, monkeypatch, stride_s, heard_every_s
):
    """A found seizure is one of one; scored window by window the alarm would be one of each window that holds it."""
    made = Corpus(tmp_path)
    samples = 1_800 * 256
    said = np.zeros((samples, 19), "<i2")
    for start_s, stop_s in ((605, 650), (1_195, 1_235)):
        said[start_s * 256 : stop_s * 256] = 3_277
    made.add("a_1", [samples], [(600.0, 660.0)], split="val")
    (made.members["a_1"].entries["features"].directory / "signal.i16").write_bytes(said.tobytes())
    monkeypatch.setattr(inference.covering_starts, "__defaults__", (W, heard_every_s * 256))
    [one] = hear(Around().eval(), made.index(ManifestParams(stride_s=stride_s)), {0: "a"})
    events = one.events(PostprocessParams())
    np.testing.assert_allclose(events, [(605, 650), (1_195, 1_235)], atol=1.1)
    found = evaluate([Recording(one.key, one.patient, one.duration_s, one.reference, events)], resamples=10)
    counts = found.total(Scorer.SZCORE_EVENT)
    assert (counts.tp, counts.fp, counts.reference) == (1, 1, 1)
    assert found.scores[Metric(Scorer.SZCORE_EVENT, Figure.FALSE_ALARMS)].value == 48.0
