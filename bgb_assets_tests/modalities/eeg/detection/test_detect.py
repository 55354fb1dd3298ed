from pathlib import Path

import numpy as np
import pytest
import torch

from bgb_assets.modalities.eeg.detection.detect import detect
from bgb_assets.modalities.eeg.detection.live_signal import source_of_stored
from bgb_assets.modalities.eeg.detection.postprocess import PostprocessParams
from bgb_assets.modalities.eeg.detection.reading import Gap, played, read_recording
from bgb_assets.modalities.eeg.detection.streaming import StreamingDetector, joined
from bgb_assets.modalities.eeg.detection.trained import TrainedDetector
from bgb_assets.modalities.eeg.learning.network import network_of
from bgb_assets.modalities.eeg.learning.variants import VARIANTS
from bgb_assets.modalities.eeg.signal.params import FeatureParams
from bgb_assets.runtime.errors import BadInput
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.eeg.detection.made_recordings import write_recording
from bgb_assets_tests.modalities.eeg.detection.networks import Constant, Loudness

LOUD = TrainedDetector(Loudness(1.8), FeatureParams(), PostprocessParams(tau_on=0.6, tau_off=0.5))


def space(tmp_path: Path, name: str = "space") -> Path:
    (tmp_path / name).mkdir()
    return tmp_path / name


def streamed(path: Path, trained: TrainedDetector, where: Path, chunk_s: float = 0.5):
    stored = read_recording(path, where).stored
    source = source_of_stored(stored, trained.features)
    stream = StreamingDetector(trained, stored.main.rate_hz, stored.names, source=source)
    heard = [
        stream.lose(piece.samples) if isinstance(piece, Gap) else stream.push(piece)
        for piece in played(stored, chunk_s)
    ]
    heard.append(stream.close())
    return joined(heard), [event for one in heard for event in one.events]


def near(events: np.ndarray, expected: list[tuple[float, float]]) -> bool:
    return events.shape == (len(expected), 2) and bool((np.abs(events - expected) < 1.5).all())


def test_loud_stretches_are_found_where_they_are(tmp_path: Path) -> None:
    found = detect(write_recording(tmp_path / "loud.edf"), LOUD, space(tmp_path))
    assert near(found.events, [(36, 46), (60, 70)])
    assert found.name == "loud"
    assert found.start == "2000-01-01T00:00:00"
    assert found.duration_s == 80.0
    assert found.probabilities.shape == (80 * 16,)
    assert found.not_evaluated_s.shape == (0, 2)
    assert found.made_with["mode"] == "windows"


@pytest.mark.parametrize("seconds", [1, 7, 59, 61])
def test_any_length_is_evaluated_to_its_end(tmp_path: Path, seconds: int) -> None:
    constant = TrainedDetector(Constant(0.0), FeatureParams(), PostprocessParams())
    found = detect(write_recording(tmp_path / "a.edf", seconds, rate_hz=250), constant, space(tmp_path))
    assert found.probabilities.tolist() == [0.5] * (seconds * 16)
    assert found.duration_s == seconds


def test_a_gap_is_not_evaluated_and_times_stay_absolute(tmp_path: Path) -> None:
    path = write_recording(tmp_path / "gap.edf", 100, [(10, 20), (75, 85)], gap_s=20)
    found = detect(path, LOUD, space(tmp_path))
    ((gap_s, after_s),) = found.not_evaluated_s.tolist()
    assert after_s - gap_s == 20.0
    assert 20 < gap_s < 75
    assert near(found.events, [(10, 20), (95, 105)])
    assert found.duration_s == 120.0
    lines, events = streamed(path, LOUD, space(tmp_path, "again"))
    assert [line.onset_s for line in lines] == [0.0, after_s]
    # A stream is not evaluated for 30 s after a gap either.
    assert near(np.asarray([[event.onset_s, event.offset_s] for event in events]), [(100, 105)])


@pytest.mark.parametrize("rate_hz", [200, 256, 512])
def test_like_stream_gives_what_a_stream_gives(tmp_path: Path, rate_hz: int) -> None:
    path = write_recording(tmp_path / "a.edf", 75, rate_hz=rate_hz)
    found = detect(path, LOUD, space(tmp_path), like_stream=True)
    (line,), events = streamed(path, LOUD, space(tmp_path, "again"))
    np.testing.assert_allclose(found.probabilities, line.probabilities, atol=1e-5)
    assert found.events.tolist() == [[event.onset_s, event.offset_s] for event in events]
    np.testing.assert_allclose(found.confidence, [event.confidence for event in events], atol=1e-5)
    assert len(events) == 2
    assert found.not_evaluated_s.tolist() == [[0.0, 30.0]]


def test_like_stream_gives_what_a_stream_gives_with_a_real_network(tmp_path: Path) -> None:
    torch.manual_seed(1)
    trained = TrainedDetector(network_of(VARIANTS["sdpa-tiny"].shape), FeatureParams(), PostprocessParams())
    path = write_recording(tmp_path / "a.edf", 40)
    found = detect(path, trained, space(tmp_path), like_stream=True)
    (line,), _ = streamed(path, trained, space(tmp_path, "again"), chunk_s=3.3)
    np.testing.assert_allclose(found.probabilities, line.probabilities, atol=1e-5)
    assert np.ptp(line.probabilities[480:]) > 0


def test_what_lies_beside_a_recording_is_not_looked_at(tmp_path: Path) -> None:
    path = write_recording(tmp_path / "a.edf", 40)
    (tmp_path / "a.csv_bi").write_text("no annotation at all")
    write_recording(tmp_path / "b.edf", 10)
    assert detect(path, LOUD, space(tmp_path)).duration_s == 40.0


def test_a_brainvision_recording_is_found_with_its_files(tmp_path: Path) -> None:
    path = shared_data("eeg") / "brainvision" / "test.vhdr"
    constant = TrainedDetector(Constant(0.0), FeatureParams(), PostprocessParams())
    found = detect(path, constant, space(tmp_path))
    assert found.duration_s > 0
    assert (found.probabilities == 0.5).all()
    assert any("spherical splines" in warning for warning in found.made_with["warnings"])


def test_a_recording_without_enough_electrodes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="of the 19 electrodes"):
        detect(shared_data("eeg") / "edf" / "short_psg.edf", LOUD, space(tmp_path))


def test_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(BadInput, match=r"notes.txt is no recording; give a file of \.edf"):
        detect(tmp_path / "notes.txt", LOUD, space(tmp_path))
