import numpy as np
import pytest

from bgb_assets.modalities.eeg.pictures import corpus
from bgb_assets.modalities.eeg.pictures.corpus import MAX_ROWS, Line, lines_of_manifest, timeline
from bgb_assets_tests.modalities.beatmap.report_case import texts
from bgb_assets_tests.modalities.eeg.corpus_case import Corpus

NONE = np.zeros((0, 2))


def test_a_timeline_has_a_row_per_recording():
    lines = [
        Line("a/b_eeg", 0, 600.0, np.array([[60.0, 120.0]]), NONE),
        Line("c", 2, 300.0, NONE, np.array([[0.0, 9.0]])),
    ]
    figure = timeline(lines)
    assert {"b", "c", "train", "test", "noted seizure", "detected", "minutes of signal"} <= set(texts(figure))
    assert "2 recordings, 1 seizures" in texts(figure)
    [noted] = [bar for bar in figure.axes[0].collections if bar.get_label() == "noted seizure" and len(bar.get_paths())]
    corners = noted.get_paths()[0].vertices
    assert (corners[:, 0].min(), corners[:, 0].max()) == (1.0, 2.0)


def test_days_are_told_in_hours():
    assert "hours of signal" in texts(timeline([Line("a", -1, 86_400.0, NONE)]))


def test_of_many_recordings_those_with_most_seizure_are_drawn():
    lines = [Line(f"r{number:03d}", 0, 600.0, np.array([[0.0, float(number)]])) for number in range(100)]
    written = texts(timeline(lines))
    drawn = [text for text in written if text.startswith("r") and text[1:].isdigit()]
    assert drawn == [f"r{number:03d}" for number in range(100 - MAX_ROWS, 100)]
    assert f"100 recordings, 100 seizures, {MAX_ROWS} of them here" in written


def test_no_recordings_no_picture():
    assert timeline([]) is None


@pytest.fixture
def manifest(tmp_path):
    made = Corpus(tmp_path)
    made.add("p1_a", [200 * 256], [(30.0, 40.0)], split="train", written=False)
    made.add("p2_a", [100 * 256, 90 * 256], [(110.0, 119.0), (230.0, 260.0)], split="val", written=False)
    made.add("p3_a", [100 * 256], split="train", written=False)
    return made.manifest()[0]


def test_the_manifest_gives_recordings_in_seconds_of_signal(manifest):
    lines = lines_of_manifest(manifest)
    assert [(one.name, one.split, one.duration_s) for one in lines] == [
        ("p1_a", 0, 200.0),
        ("p2_a", 1, 190.0),
        ("p3_a", 0, 100.0),
    ]
    assert lines[0].true.tolist() == [[30.0, 40.0]]
    # 100 s of signal, then a gap of 100 s: 230 s on the clock is second 130 of the signal.
    assert lines[1].true.tolist() == [[130.0, 160.0]]
    assert lines[2].true.shape == (0, 2)


def test_windows_are_counted_by_split_and_category(manifest):
    figure = corpus.windows(manifest)
    written = texts(figure)
    assert {"no seizure", "partly seizure", "all seizure"} <= set(written)
    heights = [round(bar.get_height()) for bar in figure.axes[0].patches]
    assert len(heights) == 6
    assert sum(heights) == 15 + 5 + (5 + 4)
    assert [text for text in written if text.startswith("train\n")]


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("train%2Fsub-1%2Feeg%2Fsub-1_run-0_eeg", "sub-1_run-0"),
        ("aaaaaaaa_s001_t000", "aaaaaaaa_s001_t000"),
        ("ward%207%2Fn%C3%A4chtlich", "nächtlich"),
    ],
)
def test_recordings_are_called_as_in_their_folder(key: str, name: str) -> None:
    assert corpus.own_name(key) == name
