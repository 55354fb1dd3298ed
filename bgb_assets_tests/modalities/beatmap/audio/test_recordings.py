"""Same recording: encodes of one song are found, other songs are not, and by what margin."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from bgb_assets.modalities.beatmap.audio.recordings import (
    MIN_SHARE,
    MIN_VOTES,
    Alike,
    compare,
    find_pairs,
    read_songs_files,
    write_songs_file,
)
from bgb_assets.modalities.beatmap.synth import synth, write_ogg
from bgb_assets_tests.fixtures import REPOSITORY, shared_data
from bgb_assets_tests.modalities.beatmap.audio_stages import run_cache

RATE_HZ = 22_050


def landmarks_of(audio: Path, work: Path) -> np.ndarray:
    """As stage cache writes them."""
    work.mkdir()
    _, out = run_cache(audio, work)
    return np.load(out / "landmarks.npy")


def sampled(hashes, frames) -> np.ndarray:
    return np.unique(np.asarray(hashes, np.uint64) << np.uint64(32) | np.asarray(frames, np.uint64))


@pytest.fixture(scope="module")
def songs(tmp_path_factory) -> dict[str, np.ndarray]:
    """Landmarks of ten songs of two seeds, and the samples' twelve."""
    root = tmp_path_factory.mktemp("songs")
    for seed in (1, 2):
        synth(root / str(seed), 5, seed)
    paths = sorted(root.glob("*/*/song.egg")) + sorted((REPOSITORY / "data/samples/beatmap").glob("*/song.egg"))
    return {str(path.parent): landmarks_of(path, root / f"work_{number}") for number, path in enumerate(paths)}


@pytest.fixture(scope="module")
def original(songs) -> tuple[np.ndarray, np.ndarray]:
    """One song: its samples at 22,050 Hz, its landmarks."""
    folder = sorted(songs)[-1]
    samples, rate_hz = soundfile.read(Path(folder) / "song.egg", dtype="float32")
    return soxr.resample(samples, rate_hz, RATE_HZ), songs[folder]


def variant(kind: str, samples: np.ndarray) -> tuple[np.ndarray, int, float]:
    """Return samples, their rate and the encoder's quality."""
    lead = np.zeros(round(0.337 * RATE_HZ), np.float32)
    return {
        "poorest quality": (samples, RATE_HZ, 0.0),
        "best quality": (samples, RATE_HZ, 1.0),
        "11 kHz": (soxr.resample(samples, RATE_HZ, 11_025), 11_025, 0.3),
        "48 kHz": (soxr.resample(samples, RATE_HZ, 48_000), 48_000, 0.5),
        "tenth of the level": (0.1 * samples, RATE_HZ, 0.3),
        "silence before": (np.concatenate([np.zeros(RATE_HZ // 2, np.float32), samples]), RATE_HZ, 0.3),
        "silence of half a step, poorest": (np.concatenate([lead, samples]), RATE_HZ, 0.0),
        "start cut off": (samples[round(3.1 * RATE_HZ) :], RATE_HZ, 0.3),
        "first half": (samples[: len(samples) // 2], RATE_HZ, 0.3),
        "two channels": (np.stack([samples, 0.5 * samples], axis=1), RATE_HZ, 0.3),
    }[kind]


@pytest.mark.parametrize(
    "kind",
    [
        "poorest quality",
        "best quality",
        "11 kHz",
        "48 kHz",
        "tenth of the level",
        "silence before",
        "silence of half a step, poorest",
        "start cut off",
        "first half",
        "two channels",
    ],
)
def test_another_encode_of_a_song_is_the_same_recording(original, tmp_path, kind):
    samples, landmarks = original
    changed, rate_hz, quality = variant(kind, samples)
    write_ogg(tmp_path / "song.ogg", changed, rate_hz, quality)
    alike = compare(landmarks, landmarks_of(tmp_path / "song.ogg", tmp_path / "work"))
    assert alike.same
    assert alike.share > 2 * MIN_SHARE, alike
    assert alike.votes > 2.5 * MIN_VOTES, alike
    expected_s = {"silence before": -0.5, "silence of half a step, poorest": -0.337, "start cut off": 3.1}.get(kind, 0)
    assert alike.shift_frames * 1_024 / RATE_HZ == pytest.approx(expected_s, abs=0.08)


def test_songs_that_share_instruments_are_not(songs):
    found = [compare(one, other) for one, other in itertools.combinations(songs.values(), 2)]
    assert len(found) >= 45
    assert max(alike.share for alike in found) < MIN_SHARE / 2
    assert max(alike.votes for alike in found) < MIN_VOTES / 2
    assert list(find_pairs(list(songs.values()))) == []


def test_real_recordings(tmp_path, songs):
    names = {
        "vibe ace": "Kevin_MacLeod_-_Vibe_Ace.ogg",
        "vibe ace hq": "Kevin_MacLeod_-_Vibe_Ace.hq.ogg",
        "trumpet": "sorohanro_-_solo-trumpet-06.ogg",
        "trumpet hq": "sorohanro_-_solo-trumpet-06.hq.ogg",
        "dance": "Hungarian_Dance_number_5_-_Allegro_in_F_sharp_minor_(string_orchestra).ogg",
    }
    folder = shared_data("beatmap") / "audio"
    found = {name: landmarks_of(folder / file, tmp_path / name) for name, file in names.items()}
    everything = found | songs
    keys = list(everything)
    pairs = {(keys[i], keys[j]): alike for i, j, alike in find_pairs(list(everything.values()))}
    assert set(pairs) == {("vibe ace", "vibe ace hq"), ("trumpet", "trumpet hq")}
    assert all(alike.share > 6 * MIN_SHARE for alike in pairs.values())
    for one, other in itertools.combinations(everything, 2):
        if (one, other) not in pairs:
            assert compare(everything[one], everything[other]).share < MIN_SHARE / 2


@given(st.integers(0, 2**32 - 1), st.integers(30, 300), st.integers(0, 1_000), st.integers(0, 200))
@settings(max_examples=40, deadline=None)
def test_a_shifted_song_is_found_with_its_shift(seed, count, shift, others):
    chance = np.random.default_rng(seed)
    hashes, frames = chance.choice(2**20, count, replace=False), chance.integers(0, 5_000, count)
    noise = sampled(2**20 + chance.integers(0, 2**20, others), chance.integers(0, 5_000, others))
    first, second = sampled(hashes, frames + shift), np.union1d(sampled(hashes, frames), noise)
    assert compare(first, second) == Alike(count, 1.0, shift)
    assert compare(second, first) == Alike(count, 1.0, -shift)


def test_a_sample_of_a_longer_song_counts_as_far_as_both_reach():
    """Of a song with many hashes only the smallest are kept: the others of a short one cannot be expected there."""
    short = sampled(np.arange(0, 40_000, 100), np.arange(400))
    long = sampled(np.arange(0, 5_120, 10), np.arange(512) // 10)
    assert compare(short, long) == Alike(52, 1.0, 0)


@pytest.mark.parametrize("empty", [np.zeros(0, np.uint64)])
def test_without_landmarks_nothing_is_alike(empty):
    full = sampled(np.arange(100), np.arange(100))
    assert compare(empty, full) == compare(full, empty) == compare(empty, empty) == Alike(0, 0.0, 0)
    assert [(i, j) for i, j, _ in find_pairs([empty, full, empty, full])] == [(1, 3)]
    assert list(find_pairs([])) == []


def test_few_hashes_are_no_proof():
    short = sampled(np.arange(MIN_VOTES - 1), np.arange(MIN_VOTES - 1))
    assert compare(short, short).share == 1.0
    assert not compare(short, short).same


@given(st.integers(0, 2**32 - 1), st.integers(2, 12))
@settings(max_examples=30, deadline=None)
def test_the_corpus_is_joined_as_every_two_songs_would_be(seed, count):
    chance = np.random.default_rng(seed)
    pool = chance.choice(2**31, 120, replace=False)
    songs = [
        sampled(chosen := chance.choice(pool, int(chance.integers(20, 100)), replace=False), chosen % 997)
        for _ in range(count)
    ]
    expected = [
        (i, j, compare(songs[i], songs[j]))
        for i, j in itertools.combinations(range(count), 2)
        if compare(songs[i], songs[j]).same
    ]
    assert list(find_pairs(songs)) == expected
    known = [number % 3 for number in range(count)]
    assert list(find_pairs(songs, known)) == [pair for pair in expected if known[pair[0]] != known[pair[1]]]


def test_hundreds_of_encodes_are_connected_and_blocks_leave_no_trace(monkeypatch):
    song = sampled(np.arange(60), np.arange(60))
    whole = [(i, j) for i, j, _ in find_pairs([song] * 150)]
    assert {(i, i + 1) for i in range(149)} <= set(whole)
    assert len(whole) < 150 * 16
    monkeypatch.setattr("bgb_assets.modalities.beatmap.audio.recordings._SONGS_PER_BLOCK", 7)
    assert [(i, j) for i, j, _ in find_pairs([song] * 150)] == whole


def test_files_of_many_songs_give_back_each(tmp_path):
    held = {"b": sampled([1, 2], [3, 4]), "a": np.zeros(0, np.uint64), "c": sampled([9], [9])}
    for name, landmarks in held.items():
        np.save(tmp_path / name, landmarks)
    for folder, names in (("one", "ba"), ("two", "c"), ("none", "")):
        (tmp_path / folder).mkdir()
        write_songs_file(tmp_path / folder, ((name, tmp_path / f"{name}.npy") for name in names))
    found = read_songs_files(tmp_path / folder for folder in ("two", "none", "one"))
    assert list(found) == ["a", "b", "c"]
    for name, landmarks in found.items():
        np.testing.assert_array_equal(landmarks, held[name])
