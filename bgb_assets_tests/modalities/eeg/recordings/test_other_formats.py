import mne
import numpy as np
import pytest

from bgb_assets.modalities.eeg.electrodes import CANONICAL
from bgb_assets.modalities.eeg.recordings.channels import choose
from bgb_assets.modalities.eeg.recordings.other_formats import _scaled, _signal, open_other
from bgb_assets.modalities.eeg.recordings.recording import Segment
from bgb_assets.runtime.errors import BadInput
from bgb_assets_tests.fixtures import shared_data


def brainvision(folder, samples, comments=(), resolution_uv=0.1, names=CANONICAL, rate_hz=250):
    """Write (samples, channels) int16 as the three files of BrainVision; comments are (text, sample, kind)."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "a.eeg").write_bytes(samples.astype("<i2").tobytes())
    channels = "\n".join(f"Ch{i + 1}={name},,{resolution_uv},µV" for i, name in enumerate(names))
    (folder / "a.vhdr").write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n[Common Infos]\nCodepage=UTF-8\nDataFile=a.eeg\n"
        "MarkerFile=a.vmrk\nDataFormat=BINARY\nDataOrientation=MULTIPLEXED\n"
        f"NumberOfChannels={len(names)}\nSamplingInterval={1_000_000 // rate_hz}\n"
        f"[Binary Infos]\nBinaryFormat=INT_16\n[Channel Infos]\n{channels}\n",
        encoding="utf-8",
    )
    markers = "\n".join(f"Mk{i + 1}={kind},{text},{at + 1},1,0" for i, (text, at, kind) in enumerate(comments))
    (folder / "a.vmrk").write_text(
        "Brain Vision Data Exchange Marker File, Version 1.0\n[Common Infos]\nCodepage=UTF-8\nDataFile=a.eeg\n"
        f"[Marker Infos]\n{markers}\n",
        encoding="utf-8",
    )
    return folder / "a.vhdr"


def read(recording, indices):
    return np.concatenate(list(recording.blocks(indices)))


def fif(path, volts, rate_hz=200.0, annotations=None):
    raw = mne.io.RawArray(volts, mne.create_info(list(CANONICAL), rate_hz, "eeg"), verbose="error")
    if annotations is not None:
        raw.set_annotations(annotations)
    raw.save(path, verbose="error")
    return path


def test_the_integers_of_a_real_brainvision_recording_are_its_own():
    folder = shared_data("eeg") / "brainvision"
    recording = open_other(folder / "test.vhdr")
    choice = choose(recording.signals)
    assert (recording.format, recording.bits, recording.start) == ("brainvision", 16, "2013-11-13T16:14:03.794232")
    assert {"T3", "T4"} & {channel.name for channel in choice.channels} == set()
    assert len(choice.channels) == 17
    indices = [channel.signal.index for channel in choice.channels]
    delivered = np.fromfile(folder / "test.eeg", "<i2").reshape(-1, 32)
    np.testing.assert_array_equal(read(recording, indices), delivered[:, indices])
    assert {round(channel.signal.gain * channel.unit_to_uv, 12) for channel in choice.channels} == {0.5}
    assert recording.segments(1000.0) == (Segment(0, 7900, 0.0),)


def test_a_channel_whose_unit_is_no_voltage_has_a_problem():
    problems = {
        signal.label: signal.problem
        for signal in open_other(shared_data("eeg") / "brainvision" / "test.vhdr").signals
        if signal.problem
    }
    assert problems == dict.fromkeys(("CP5", "CP6", "HL", "HR", "Vb", "ReRef"), "its unit is no voltage")


def test_a_resolution_that_is_no_binary_fraction_gives_the_integers_back(tmp_path):
    samples = np.random.default_rng(1).integers(-32768, 32768, (500, 19))
    recording = open_other(brainvision(tmp_path, samples, resolution_uv=0.0488281))
    assert recording.bits == 16
    np.testing.assert_array_equal(read(recording, [18, 0]), samples[:, [18, 0]])


@pytest.mark.parametrize(("sample", "bits"), [(-32768, 16), (32767, 16), (-32769, 32), (32768, 32)])
def test_integers_beyond_16_bits_are_kept_in_32(tmp_path, sample, bits):
    volts = np.zeros((19, 500))
    volts[2, 7] = sample * 1e-6
    raw = mne.io.RawArray(volts, mne.create_info(list(CANONICAL), 200.0, "eeg"), verbose="error")
    for channel in raw.info["chs"]:
        channel["cal"] = 1e-6
    signals = tuple(_signal(raw, index) for index in range(19))
    scaled, found, notes = _scaled(raw, signals)
    assert (found, notes) == (bits, ())
    assert {signal.gain for signal in scaled} == {1e-6}


def test_a_new_segment_of_brainvision_begins_a_segment_and_comments_are_texts(tmp_path):
    comments = [("", 0, "New Segment"), ("seizure start", 100, "Comment"), ("", 300, "New Segment")]
    recording = open_other(brainvision(tmp_path, np.zeros((500, 19)), comments))
    assert recording.segments(250.0) == (Segment(0, 300, 0.0), Segment(300, 200, 1.2))
    assert [(onset, text) for onset, _, text in recording.texts().items if "New" not in text] == [
        (0.4, "seizure start")
    ]


def test_samples_that_are_no_integers_are_kept_to_a_part_of_a_nanovolt(tmp_path):
    volts = np.random.default_rng(1).normal(0, 50e-6, (19, 1000))
    recording = open_other(fif(tmp_path / "a_raw.fif", volts))
    assert recording.bits == 32
    gains = np.array([signal.gain for signal in recording.signals])
    np.testing.assert_allclose(read(recording, range(19)) * gains, volts.T, rtol=1e-6, atol=1e-12)
    assert recording.repairs[0].startswith("samples that are no integers are kept in steps of at most")


def test_a_skipped_stretch_is_in_no_segment_and_is_not_read(tmp_path):
    volts = np.tile(np.arange(1000) * 1e-7, (19, 1))
    skip = mne.Annotations([2.0], [1.0], ["BAD_ACQ_SKIP"])
    recording = open_other(fif(tmp_path / "a_raw.fif", volts, annotations=skip))
    assert recording.segments(200.0) == (Segment(0, 400, 0.0), Segment(400, 400, 3.0))
    got = read(recording, [0])[:, 0] * recording.signals[0].gain
    np.testing.assert_allclose(got, np.r_[volts[0, :400], volts[0, 600:]], atol=1e-12, rtol=1e-6)


def test_values_that_are_not_finite_are_refused(tmp_path):
    volts = np.zeros((19, 500))
    volts[3, 100] = np.nan
    with pytest.raises(BadInput, match="not finite"):
        open_other(fif(tmp_path / "a_raw.fif", volts))


@pytest.mark.parametrize("suffix", [".vhdr", ".set", ".fif", ".cnt", ".lay", ".eeg"])
def test_a_damaged_file_is_refused_by_name(tmp_path, suffix):
    path = tmp_path / f"a_raw{suffix}"
    path.write_bytes(b"no recording at all\n" * 20)
    with pytest.raises(BadInput, match="convert the recording to EDF") as refused:
        open_other(path)
    assert f"a_raw{suffix} cannot be read" in refused.value.reason
    assert str(tmp_path) not in str(refused.value)


def test_data_that_are_missing_beside_their_header_are_refused(tmp_path):
    path = brainvision(tmp_path, np.zeros((500, 19)))
    (tmp_path / "a.eeg").unlink()
    with pytest.raises(BadInput, match=r"a\.vhdr cannot be read"):
        open_other(path)
