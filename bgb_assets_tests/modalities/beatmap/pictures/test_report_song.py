import dataclasses

import numpy as np
import pytest

from bgb_assets.modalities.beatmap.formats.tempo import TempoMap
from bgb_assets.modalities.beatmap.pictures import report_song
from bgb_assets.modalities.beatmap.pictures.report_drawing import densest, read_difficulties
from bgb_assets_tests.modalities.beatmap.report_case import drawn_notes, song_entries, texts


@pytest.fixture(scope="module")
def entries(tmp_path_factory):
    return song_entries(tmp_path_factory.mktemp("song"))


@pytest.fixture
def difficulties(entries):
    return read_difficulties(entries["notes"])


def test_every_note_is_on_the_mel_once_and_on_its_hand(entries, difficulties):
    one = densest(difficulties)
    figure = report_song.mel_with_notes(entries["features"], difficulties)
    left, right = (int((one.notes["color"] == hand).sum()) for hand in (0, 1))
    assert drawn_notes(figure) == {"left": left, "right": right}
    assert left + right == 123
    assert "Standard Expert on the mel spectrogram, all 17 bars; red left hand, blue right hand" in texts(figure)


def test_a_note_stands_at_its_beat_and_the_higher_the_higher(entries, difficulties):
    one = densest(difficulties)
    figure = report_song.mel_with_notes(entries["features"], [one])
    places = np.concatenate(
        [
            handle.get_offsets()
            for axes in figure.axes
            for handle in axes.collections
            if handle.get_label() in ("left", "right")
        ]
    )
    np.testing.assert_allclose(np.sort(places[:, 0]), np.sort(one.notes["beat"]))
    assert len(np.unique(np.round(places[:, 1], 3))) == len({*zip(one.notes["x"], one.notes["y"], strict=True)})


def test_rows_tell_time_and_tempo_and_where_it_changes(entries, difficulties):
    one = dataclasses.replace(
        densest(difficulties), tempo=TempoMap(np.array([0.0, 8.0]), np.array([0.0, 4.0]), np.array([120.0, 90.0]))
    )
    written = texts(report_song.mel_with_notes(entries["features"], [one]))
    assert "0:00.0\n120 BPM" in written
    assert "90 BPM" in written
    # The second row begins after six bars: 4 s to beat 8, then 16 beats of 2/3 s.
    assert "0:14.7\n90 BPM" in written


def test_a_long_song_says_how_much_of_it_is_shown(entries, difficulties, monkeypatch):
    monkeypatch.setattr(report_song, "_MAX_ROWS", 1)
    figure = report_song.mel_with_notes(entries["features"], difficulties)
    assert len(figure.axes) == 1
    assert any("the first 8 of 17 bars" in text for text in texts(figure))
    assert sum(drawn_notes(figure).values()) < densest(difficulties).count


def test_strips_hold_all_notes_of_the_densest_difficulty(difficulties, monkeypatch):
    figure = report_song.note_strips(difficulties)
    assert sum(drawn_notes(figure).values()) == densest(difficulties).count
    monkeypatch.setattr(report_song, "_MAX_STRIPS", 1)
    shown = sum(drawn_notes(report_song.note_strips(difficulties)).values())
    assert any(f"the first {shown} of 123 notes" in text for text in texts(report_song.note_strips(difficulties)))


def test_density_counts_notes(difficulties):
    figure = report_song.density(difficulties, {})
    for line, one in zip(figure.axes[0].lines, sorted(difficulties, key=lambda one: one.count), strict=True):
        at_s, pace = line.get_data()
        assert np.trapezoid(pace, at_s) == pytest.approx(one.count, rel=0.05)


def test_mel_and_onset_span_the_song(entries):
    mel, onset = report_song.mel(entries["features"]), report_song.onset(entries["features"])
    assert mel.axes[0].get_xlim() == (0, 17 * 4)
    times_s, strength = onset.axes[0].lines[0].get_data()
    assert onset.axes[0].get_xlim()[1] == pytest.approx(times_s[-1], abs=0.1)
    assert strength.max() > 0
