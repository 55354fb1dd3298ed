from pathlib import Path

import numpy as np
import pytest

from bgb_assets.modalities.eeg.detection.reading import Gap, played, read_recording
from bgb_assets_tests.modalities.eeg.detection.made_recordings import loud_signal, write_recording


def read(path: Path, tmp_path: Path):
    (tmp_path / "space").mkdir()
    return read_recording(path, tmp_path / "space")


@pytest.mark.parametrize("chunk_s", [0.013, 0.5, 100.0])
def test_a_recording_plays_as_its_own_microvolts(tmp_path: Path, chunk_s: float) -> None:
    recording = read(write_recording(tmp_path / "a.edf", 4), tmp_path)
    pieces = list(played(recording.stored, chunk_s))
    signal = np.concatenate(pieces, axis=1)
    # The file holds steps of 0.1 microvolts; its offset is no signal.
    expected = loud_signal(4, 200, [(36, 46)])
    assert np.abs(signal - signal.mean() - expected + expected.mean()).max() < 0.06
    assert max(piece.shape[1] for piece in pieces) == min(max(1, round(chunk_s * 200)), 800)


def test_a_gap_plays_as_lost_samples(tmp_path: Path) -> None:
    recording = read(write_recording(tmp_path / "a.edf", 30, gap_s=20), tmp_path)
    pieces = list(played(recording.stored, 100.0))
    assert [isinstance(piece, Gap) for piece in pieces] == [False, True, False]
    assert pieces[1] == Gap(20 * 200)
    assert pieces[0].shape[1] + pieces[2].shape[1] == 30 * 200


def test_the_name_is_that_of_the_file(tmp_path: Path) -> None:
    recording = read(write_recording(tmp_path / "sub-01_run-00_eeg.edf", 2), tmp_path)
    assert recording.name == "sub-01_run-00_eeg"
    assert recording.start == "2000-01-01T00:00:00"
