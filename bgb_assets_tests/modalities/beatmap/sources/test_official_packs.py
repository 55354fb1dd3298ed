from pathlib import Path
from typing import Any

import pytest

from bgb_assets.modalities.beatmap.sources.official_game import find_game
from bgb_assets.modalities.beatmap.sources.official_ledger import Ledger
from bgb_assets.modalities.beatmap.sources.official_packs import Packs, difficulty_of, read_pack, read_packs
from bgb_assets.runtime.errors import BadInput
from bgb_assets_tests.modalities.beatmap.official_case import (
    BPM,
    FIRST_PACK,
    ONE_SABER,
    SHARED,
    SPEEDS,
    STANDARD,
    UNKNOWN,
    game_folder,
    pack_bundle,
    put,
    speeds_set,
)
from bgb_assets_tests.modalities.beatmap.unity_bundles import Bundle


@pytest.fixture
def game(tmp_path: Path) -> Path:
    return game_folder(tmp_path / "game")


def packs_of(game: Path, work: Path) -> Packs:
    found = find_game(game)
    return read_packs(found, Ledger(work, found.root))


def written(tmp_path: Path, **changed: Any) -> Path:
    return put(tmp_path, "a_pack_assets_all_1.bundle", pack_bundle("a", {"One": changed}))


def test_only_levels_are_read(game: Path, tmp_path: Path) -> None:
    packs = packs_of(game, tmp_path / "work")
    assert {level_id: level.pack for level_id, level in packs.levels.items()} == {
        "100bills": "ostvol1",
        "notinstalled": "ostvol1",
        "broken": "ostvol1",
        "crabrave": "monstercat",
    }
    assert packs.broken == ()


def test_jump_speeds_belong_to_a_characteristic(game: Path, tmp_path: Path) -> None:
    said = packs_of(game, tmp_path / "work").levels["100bills"].document
    speeds = {
        (entry["characteristic"], difficulty): tuple(pair)
        for entry in said["sets"]
        for difficulty, pair in entry["speeds"].items()
    }
    assert speeds == SPEEDS
    assert speeds["Standard", "Expert"] != speeds["OneSaber", "Expert"]


def test_numbers_are_those_that_were_typed(game: Path, tmp_path: Path) -> None:
    said = packs_of(game, tmp_path / "work").levels["100bills"].document
    assert said["_beatsPerMinute"] == BPM == 128.3


def test_a_characteristic_in_the_pack_itself_needs_no_other_bundle(tmp_path: Path) -> None:
    bundle = Bundle("own")
    bundle.behaviour(STANDARD, "StandardBeatmapCharacteristic", _serializedName="Standard")
    fields = {"_songName": "One", "_beatsPerMinute": 100.0}
    sets = [speeds_set(STANDARD, {"Expert": (16.0, 0.0)}, file_id=0)]
    bundle.behaviour(9, "OneBeatmapLevel", _levelID="One", _previewDifficultyBeatmapSets=sets, **fields)
    [level] = read_pack(put(tmp_path, "own", bundle.content()), "own")
    assert level["sets"] == [{"characteristic": "Standard", "outside": None, "speeds": {"Expert": [16.0, 0.0]}}]
    assert (level["_songSubName"], level["_songTimeOffset"]) == ("", 0.0)


def test_a_characteristic_that_is_nowhere_has_no_name(game: Path, tmp_path: Path) -> None:
    sets = [speeds_set(UNKNOWN, {"Expert": (11.0, 0.0)}), speeds_set(ONE_SABER, {"Expert": (12.0, 0.0)})]
    sets.append(speeds_set(0, {"Expert": (13.0, 0.0)}, file_id=0))
    put(game, FIRST_PACK, pack_bundle("ostvol1", {"100Bills": {"_previewDifficultyBeatmapSets": sets}}))
    said = packs_of(game, tmp_path / "work").levels["100bills"].document
    assert [(entry["characteristic"], entry["speeds"]["Expert"][0]) for entry in said["sets"]] == [
        (None, 11.0),
        ("OneSaber", 12.0),
        (None, 13.0),
    ]


@pytest.mark.parametrize("content", [b"not a bundle", None])
def test_without_the_bundle_of_characteristics_sets_have_no_names(
    game: Path, tmp_path: Path, content: bytes | None
) -> None:
    shared = game / SHARED / "shared_assets_all_99.bundle"
    if content is None:
        shared.unlink()
    else:
        shared.write_bytes(content)
    packs = packs_of(game, tmp_path / "work")
    said = packs.levels["100bills"].document
    assert [entry["characteristic"] for entry in said["sets"]] == [None, None]
    assert packs.broken == ()


def test_of_two_packs_the_first_counts(game: Path, tmp_path: Path) -> None:
    put(game, f"{SHARED}/aaa_pack_assets_all_1.bundle", pack_bundle("aaa", {"CRABRAVE": {"_songName": "Other"}}))
    level = packs_of(game, tmp_path / "work").levels["crabrave"]
    assert (level.pack, level.document["_songName"]) == ("aaa", "Other")


def test_a_pack_that_cannot_be_read_leaves_the_others(game: Path, tmp_path: Path) -> None:
    (game / FIRST_PACK).write_bytes(b"UnityFS\0 and no more")
    packs = packs_of(game, tmp_path / "work")
    assert packs.broken == (game / FIRST_PACK,)
    assert set(packs.levels) == {"crabrave"}


def test_fields_that_are_not_what_they_should_be_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="a: OneBeatmapLevel: _beatsPerMinute: expected a finite number, got 'fast'"):
        read_pack(written(tmp_path, _beatsPerMinute="fast"), "a")
    with pytest.raises(BadInput, match="a: OneBeatmapLevel: _songDuration: expected a finite number, got inf"):
        read_pack(written(tmp_path, _songDuration=float("inf")), "a")
    entry = {"_difficulty": 5, "_noteJumpMovementSpeed": 1.0, "_noteJumpStartBeatOffset": 0.0}
    sets = [speeds_set(STANDARD, {}) | {"_previewDifficultyBeatmaps": [entry]}]
    with pytest.raises(BadInput, match="a: OneBeatmapLevel: difficulty must be 0 to 4, got 5"):
        read_pack(written(tmp_path, _previewDifficultyBeatmapSets=sets), "a")


def test_the_game_numbers_difficulties_from_easy() -> None:
    assert [difficulty_of(number, "x") for number in range(5)] == ["Easy", "Normal", "Hard", "Expert", "ExpertPlus"]
    for wrong in (-1, 5, "3", None):
        with pytest.raises(BadInput, match="x: difficulty must be 0 to 4"):
            difficulty_of(wrong, "x")
