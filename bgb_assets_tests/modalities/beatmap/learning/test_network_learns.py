"""That the network learns where: with the clock that tokens and frames share, and not without it.

And that a network that has learned it keeps the pace that is asked for, in songs of any length.
"""

import numpy as np
import pytest

from bgb_assets.modalities.beatmap.generation.decoding import Request, write_song
from bgb_assets.modalities.beatmap.learning.network import Network, parameter_count
from bgb_assets.modalities.beatmap.learning.variants import SMALL
from bgb_assets.modalities.beatmap.sequences.tokenizer import decode
from bgb_assets_tests.modalities.beatmap.marked_songs import (
    CROP,
    PARAMS,
    QUICK,
    DeafToPlace,
    marked_song,
    train,
    with_steps,
)

SONGS = ((24.0, 120.0), (60.0, 95.0), (180.0, 174.0))
"""Seconds and beats per minute."""


def delivered(network, seconds, bpm, asked):
    """Return the notes per second of a map, from its first to its last note."""
    song = marked_song(round(seconds * bpm / 240.0), bpm, seed=int(bpm))
    (ids,) = write_song(network, song, [Request("Expert", "Standard", asked)], CROP, ("notes",), seed=0)
    beats = decode(ids)["notes"]["beat"]
    return len(beats) / ((beats.max() - beats.min()) * 60.0 / bpm)


def test_the_shared_clock_is_what_tells_where(tmp_path):
    params = with_steps(QUICK, 220)
    heard = train(tmp_path / "heard", params).metrics["validation"]
    deaf = train(tmp_path / "deaf", params, DeafToPlace).metrics["validation"]
    assert heard["pos_accuracy"] > 0.20
    assert heard["note_accuracy"] > 0.95
    assert deaf["pos_accuracy"] < 0.12
    assert deaf["note_accuracy"] < 0.80


def test_the_network_without_the_clock_is_else_the_same():
    assert parameter_count(DeafToPlace(SMALL.shape)) == parameter_count(Network(SMALL.shape))


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    return train(tmp_path_factory.mktemp("learned"), with_steps(PARAMS, 1_500))


@pytest.mark.slow
def test_small_learns_where_in_1500_steps(learned):
    measured = learned.metrics["validation"]
    assert measured["pos_accuracy"] >= 0.90
    assert measured["note_accuracy"] >= 0.99


@pytest.mark.slow
def test_small_without_the_clock_does_not(tmp_path):
    measured = train(tmp_path, with_steps(PARAMS, 500), DeafToPlace).metrics["validation"]
    assert measured["pos_accuracy"] < 0.20


@pytest.mark.slow
@pytest.mark.parametrize("asked", [2.0, 4.0, 6.0, 8.0])
@pytest.mark.parametrize(("seconds", "bpm"), SONGS)
def test_the_pace_asked_for_is_the_pace_delivered(learned, seconds, bpm, asked):
    assert delivered(learned.model, seconds, bpm, asked) == pytest.approx(asked, rel=0.10)


def test_marked_songs_have_an_onset_in_one_frame_of_ten():
    song = marked_song(64, 120.0, 0)
    assert song.mel.shape == (64 * 64, 81)
    assert song.end_s == pytest.approx(128.0)
    assert np.isfinite(song.mel).all()
