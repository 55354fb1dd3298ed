import edfio
import numpy as np
import pyedflib
import pytest

from bgb_assets.modalities.eeg.electrodes import BIPOLAR18, CANONICAL
from bgb_assets.modalities.eeg.recordings.edf import open_edf
from bgb_assets.modalities.eeg.recordings.naming import Electrode, Pair, parse_label
from bgb_assets.modalities.eeg.synth import make_signal, write_recording
from bgb_assets.modalities.eeg.synthetic.edf_file import pairs_of, write_edf
from bgb_assets.modalities.eeg.synthetic.plan import RATES_HZ, SynthOptions

SECONDS = 60


def written(path, options):
    signal, _ = make_signal(1, 0, 0, SECONDS, options)
    write_edf(path / "a.edf", signal, "s1p000", options)
    return signal, edfio.read_edf(path / "a.edf")


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_what_is_read_back_is_within_half_a_bit(tmp_path, rate_hz):
    signal, edf = written(tmp_path, SynthOptions(rate_hz=rate_hz))
    assert edf.labels == tuple(f"EEG {name.upper()}-REF" for name in CANONICAL)
    assert [parse_label(label) for label in edf.labels] == [Electrode(name) for name in CANONICAL]
    assert {one.physical_dimension for one in edf.signals} == {"uV"}
    assert {one.sampling_frequency for one in edf.signals} == {rate_hz}
    got = np.stack([one.data for one in edf.signals])
    assert np.abs(got - signal).max() <= 0.05 + 1e-4


def test_another_reader_reads_the_same(tmp_path):
    _, edf = written(tmp_path, SynthOptions())
    with pyedflib.EdfReader(str(tmp_path / "a.edf")) as reader:
        assert reader.filetype == pyedflib.FILETYPE_EDFPLUS
        assert reader.signals_in_file == 19
        np.testing.assert_array_equal(reader.readSignal(3, digital=True), edf.signals[3].digital)


def test_bipolar_labels_are_the_double_banana(tmp_path):
    signal, edf = written(tmp_path, SynthOptions(bipolar=True))
    assert [parse_label(label) for label in edf.labels] == [Pair(*pair) for pair in BIPOLAR18]
    assert np.abs(edf.signals[4].data - (signal[0] - signal[4])).max() <= 0.05 + 1e-4


def test_electrodes_that_were_not_attached_are_nowhere(tmp_path):
    _, edf = written(tmp_path, SynthOptions(without=("Fz", "Pz")))
    assert [parse_label(label).name for label in edf.labels] == [name for name in CANONICAL if name not in ("Fz", "Pz")]
    pairs = pairs_of(SynthOptions(without=("Fz", "Pz")))
    assert set(BIPOLAR18) - set(pairs) == {("Fz", "Cz"), ("Cz", "Pz")}


@pytest.mark.parametrize("gap_s", [1, 20, 200])
def test_a_gap_leaves_out_records_and_no_signal(tmp_path, gap_s):
    options = SynthOptions(rate_hz=200, gap_s=gap_s)
    signal, _ = make_signal(1, 0, 0, SECONDS, options)
    write_edf(tmp_path / "a.edf", signal, "s1p000", options)
    data = (tmp_path / "a.edf").read_bytes()
    assert data[192:197] == b"EDF+D"
    assert int(data[236:244]) == SECONDS
    edf = edfio.read_edf(tmp_path / "a.edf")
    assert not edf.is_continuous
    assert np.abs(np.stack([one.data for one in edf.signals]) - signal).max() <= 0.05 + 1e-4
    assert record_onsets(data, 19, 200) == [*range(30), *(second + gap_s for second in range(30, SECONDS))]


def record_onsets(data, signals, rate_hz):
    header = int(data[184:192])
    size = (len(data) - header) // int(data[236:244])
    stamps = [data[start + 2 * signals * rate_hz : start + size] for start in range(header, len(data), size)]
    return [float(stamp.split(b"\x14")[0]) for stamp in stamps]


def test_our_own_reader_finds_the_segments(tmp_path):
    made = write_recording(tmp_path, 0, 0, 1.0, 1, SynthOptions(rate_hz=200, gap_s=20))
    segments = open_edf(tmp_path / made["path"]).segments(200.0)
    assert [(one.start, one.samples, one.onset_s) for one in segments] == [(0, 6_000, 0.0), (6_000, 6_000, 50.0)]
