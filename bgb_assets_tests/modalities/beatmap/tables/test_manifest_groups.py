"""The manifest's groups: files of landmarks, pairs, straddling, and 500 songs more."""

import dataclasses
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bgb_assets.modalities.beatmap.audio.recordings import Alike
from bgb_assets.modalities.beatmap.synth import synth, write_ogg
from bgb_assets.modalities.beatmap.tables.filters import Difficulty, FilterParams
from bgb_assets.modalities.beatmap.tables.manifest_groups import (
    SameRecording,
    audit_recordings,
    describe,
    find_recordings,
    is_landmarks,
    plan_landmarks,
    run_landmarks,
    splits_of,
)
from bgb_assets.modalities.beatmap.tables.manifest_params import ManifestParams
from bgb_assets.modalities.beatmap.tables.manifest_rows import make_rows
from bgb_assets.modalities.contract import EntryView, Member
from bgb_assets.storage.found_groups import FOUND_FILE, has_found
from bgb_assets.storage.manifest import MANIFEST_FILE, read_counts
from bgb_assets.storage.pins import Pins, adopt
from bgb_assets.storage.splits import SPLIT_NAMES, TEST, TRAIN, SplitParams, split_of
from bgb_assets_tests.modalities.beatmap.songs_case import Store

SOUND = np.arange(60, dtype=np.uint64) << np.uint64(32) | np.arange(60, dtype=np.uint64)
NO_FILTER = FilterParams(audio=False, min_notes=0)


def song(folder: Path, key: str, landmarks: np.ndarray | None, audio: str | None = None) -> Member:
    """A member as the manifest sees it; its `audio_id` is its key unless told."""
    directory = folder / key
    directory.mkdir()
    facets: Mapping[str, str] = {"song": key}
    cached: Mapping[str, str] = {}
    if landmarks is not None:
        np.save(directory / "landmarks.npy", landmarks)
        facets, cached = {"song": key, "audio": audio or key}, {"landmarks": landmarks.tobytes().hex()}
    count = 0 if landmarks is None else len(landmarks)
    entries = {
        "raw": EntryView(key, f"raw/{key}", facets, {}, directory),
        "cache": EntryView(key, f"cache/{key}", cached, {"landmarks": count}, directory),
        "features": EntryView(key, f"features/{key}", {}, {"rows": {}}, directory, absent="no audio"),
        "notes": EntryView(key, f"notes/{key}", {"notes": key}, {}, directory),
    }
    return Member(key, {"source": "inbox", "facts": {}}, entries)


def difficulty(key: str, audio: str | None = None) -> Difficulty:
    return Difficulty(
        upload=key,
        characteristic="Standard",
        difficulty="Hard",
        song_hash=key,
        beatmap_id=key,
        audio_id=audio or key,
        tempo_id="t",
        status="ok",
        nps=4.0,
        off_grid_share=0.0,
        timing_ratio=2.0,
        timing_shift_ms=20.0,
        flags=frozenset(),
        requirements=(),
        notes=100,
        bpm=120.0,
        bpm_range=(120.0, 120.0),
        auto_generated=False,
    )


def rows_of(members: Mapping[str, Member], pins: Pins):
    return make_rows([difficulty(key) for key in members], members, pins, NO_FILTER, SplitParams(), 0.2)


def name_in(split: int, prefix: str) -> str:
    return next(f"{prefix}{i}" for i in range(999) if split_of("beatmap", f"{prefix}{i}", SplitParams()) == split)


def test_each_sound_file_is_listed_once_and_songs_without_sound_are_not(tmp_path):
    members = [
        song(tmp_path, "a", SOUND),
        song(tmp_path, "b", SOUND[:50], audio="a"),
        song(tmp_path, "c", None),
        song(tmp_path, "d", SOUND[:0]),
    ]
    (plan,) = plan_landmarks(members, 10**9).values()
    assert plan.members == ("a", "d")


def test_one_more_song_writes_one_file_again(tmp_path):
    members = [song(tmp_path, f"song {i:03d}", SOUND) for i in range(200)]
    few = 20 * 8 * len(SOUND)
    before = plan_landmarks(members, few)
    after = plan_landmarks([*members, song(tmp_path, "one more", SOUND)], few)
    digests = {plan.facets["members"] for plan in before.values()}
    assert len(before) >= 10
    assert 1 <= len({plan.facets["members"] for plan in after.values()} - digests) <= 2
    assert all(map(is_landmarks, after))


def test_a_changed_sound_writes_its_file_again(tmp_path):
    one, other = song(tmp_path, "a", SOUND), song(tmp_path, "b", SOUND)
    changed = dataclasses.replace(other.entries["cache"], facets={"landmarks": "other"})
    again = Member("b", other.labels, {**other.entries, "cache": changed})
    assert plan_landmarks([one, other], 10**9) == plan_landmarks([one, other], 10**9)
    assert plan_landmarks([one, other], 10**9) != plan_landmarks([one, again], 10**9)


def test_pairs_are_found_across_files_but_not_those_that_pins_know(tmp_path):
    parts = []
    for number, keys in enumerate((["a", "b"], ["c", "d"])):
        out = tmp_path / f"part {number}"
        out.mkdir()
        result = run_landmarks([song(tmp_path, key, SOUND if key != "d" else SOUND[:5]) for key in keys], out)
        assert result.metadata["songs"] == 2
        parts.append(EntryView(str(number), f"manifest/{number}", {}, {}, out))

    def found(pins: Pins) -> list[tuple[str, str]]:
        return [(pair.first, pair.second) for pair in find_recordings(parts, pins)]

    assert found(Pins()) == [("a", "b"), ("a", "c"), ("b", "c")]
    assert found(Pins(pairs=(("a", "b"), ("c", "b")))) == []
    assert found(Pins(pairs=(("a", "gone"), ("gone", "c")))) == [("a", "b"), ("b", "c")]
    assert found(Pins(not_same=(("c", "a"),))) == [("a", "b"), ("b", "c")]
    assert found(Pins(pairs=(("a", "b"),), not_same=(("a", "b"),))) == [("a", "c"), ("b", "c")]


def test_pairs_that_straddle_splits_are_listed_and_fail_the_audit(tmp_path):
    train, test, other = name_in(TRAIN, "a"), name_in(TEST, "b"), name_in(TRAIN, "c")
    members = {key: song(tmp_path, key, None) for key in (train, test, other)}
    rows, _ = rows_of(members, Pins())
    alike = Alike(50, 0.5, 0)
    described = describe([SameRecording(train, test, alike), SameRecording(train, other, alike)], rows)
    assert described["straddling"] == [[train, test, "train", "test"]]
    assert described["pairs"] == [[train, test, 50, 0.5], [train, other, 50, 0.5]]
    (tmp_path / MANIFEST_FILE).write_text(json.dumps({"recordings": described}))
    (problem,) = audit_recordings(tmp_path, tmp_path)
    assert problem.startswith(f"{train} (train) and {test} (test) are one recording: set group_by to 'fingerprint'")
    many = {"recordings": {"pairs": [], "straddling": described["straddling"] * 12}}
    (tmp_path / MANIFEST_FILE).write_text(json.dumps(many))
    assert len(audit_recordings(tmp_path, tmp_path)) == 11
    assert audit_recordings(tmp_path, tmp_path)[-1] == "and 2 more pairs"
    (tmp_path / MANIFEST_FILE).write_text(json.dumps({"recordings": describe([], rows)}))
    assert audit_recordings(tmp_path, tmp_path) == []


def test_splits_are_those_of_the_rows_or_of_the_hash(tmp_path):
    train, test = name_in(TRAIN, "a"), name_in(TEST, "b")
    rows, _ = rows_of({train: song(tmp_path, train, None)}, Pins({train: TEST}))
    assert splits_of(rows, [train, test], SplitParams()) == {train: TEST, test: TEST}


def test_500_more_songs_move_no_split(tmp_path):
    """New songs come between the old ones and some are other encodes of them, new names both smaller and larger."""
    members = {f"song {i:04d}": song(tmp_path, f"song {i:04d}", None) for i in range(0, 2_000, 4)}
    pins = adopt(Pins(), [("song 0000", "song 0004")], _by_hash(members), before={})
    rows, _ = rows_of(members, pins)
    before = dict(zip(rows.column("upload").to_pylist(), rows.column("split").to_pylist(), strict=True))
    in_use = dict(zip(rows.column("group").to_pylist(), rows.column("split").to_pylist(), strict=True))
    more = {f"song {i:04d}": song(tmp_path, f"song {i:04d}", None) for i in range(2, 2_000, 4)}
    again = [(f"song {i:04d}", f"song {i + 2:04d}") for i in range(0, 400, 16)]
    again += [(f"song {i - 2:04d}", f"song {i:04d}") for i in range(408, 800, 16)]
    everyone = dict(sorted({**members, **more}.items()))
    grown = adopt(pins, again, _by_hash(everyone), in_use)
    rows, decision = rows_of(everyone, grown)
    after = dict(zip(rows.column("upload").to_pylist(), rows.column("split").to_pylist(), strict=True))
    assert len(after) == len(before) + 500
    assert {key: after[key] for key in before} == before
    assert {after[one] == after[other] for one, other in again} == {True}
    assert decision.moves == ()
    assert len(set(before.values())) == 3, "all splits occur"


def _by_hash(members: Mapping[str, Member]) -> Mapping[str, int]:
    return {key: split_of("beatmap", key, SplitParams()) for key in members}


@pytest.mark.parametrize("group_by", ["audio", "fingerprint"])
def test_the_check_runs_whatever_makes_a_group(songs_of_one_recording, group_by):
    store, audio_ids = songs_of_one_recording
    out, result = store.manifest(ManifestParams(group_by=group_by))
    recordings = read_counts(out)["recordings"]
    assert [pair[:2] for pair in recordings["pairs"]] == [sorted(audio_ids)]
    assert has_found(out) == (group_by == "fingerprint")
    if has_found(out):
        found = json.loads((out / FOUND_FILE).read_bytes())
        assert found["pairs"] == [sorted(audio_ids)]
        assert found["splits"] == {a: SPLIT_NAMES[split_of("beatmap", a, SplitParams())] for a in audio_ids}
    splits = {split_of("beatmap", audio, SplitParams()) for audio in audio_ids}
    assert bool(recordings["straddling"]) == bool(result.warnings) == (len(splits) > 1)
    assert bool(audit_recordings(out, store.root)) == (len(splits) > 1)


def test_pinned_pairs_are_one_group_only_where_sound_makes_groups(songs_of_one_recording):
    store, audio_ids = songs_of_one_recording
    pins = store.root / "pins/beatmap"
    pins.mkdir(parents=True, exist_ok=True)
    (pins / "groups.json").write_text(json.dumps({"version": 1, "pins": [audio_ids]}))
    try:
        out, _ = store.manifest(ManifestParams(official_share=0.3))
        assert read_counts(out)["recordings"] == {"pairs": [], "straddling": []}
        assert read_counts(out)["merged_groups"] == {min(audio_ids): sorted(audio_ids)}
        assert not has_found(out)
        out, _ = store.manifest(ManifestParams(official_share=0.3, group_by="audio"))
        assert read_counts(out)["merged_groups"] == {}
        assert len(read_counts(out)["recordings"]["pairs"]) == 1
    finally:
        (pins / "groups.json").unlink()


@pytest.fixture(scope="module")
def songs_of_one_recording(tmp_path_factory):
    """A store with two encodes of one song, whose splits by hash differ, and one other song."""
    root = tmp_path_factory.mktemp("recordings")
    synth(root / "inbox", 2, 5)
    store = Store(root)
    first = store.add("song_0000", root / "inbox/song_0000")
    store.add("song_0001", root / "inbox/song_0001")
    samples, rate_hz = soundfile.read(root / "inbox/song_0000/song.egg", dtype="float32")
    own = split_of("beatmap", first.entries["raw"].facets["audio"], SplitParams())
    for number in range(20):
        folder = root / f"other/{number}"
        shutil.copytree(root / "inbox/song_0000", folder)
        write_ogg(folder / "song.egg", samples, rate_hz, 0.1 + 0.04 * number)
        second = store.add("other encode", folder)
        if split_of("beatmap", second.entries["raw"].facets["audio"], SplitParams()) != own:
            break
    return store, [member.entries["raw"].facets["audio"] for member in (first, second)]
