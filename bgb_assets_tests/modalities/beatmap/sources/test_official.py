import json
import multiprocessing
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from bgb_assets.modalities.beatmap import raw
from bgb_assets.modalities.beatmap.formats.song import read_song
from bgb_assets.modalities.beatmap.sources import official_ledger, official_packs
from bgb_assets.modalities.beatmap.sources.official import OfficialLevels, source
from bgb_assets.modalities.sources import Offer
from bgb_assets.runtime.errors import SourceError, UsageError
from bgb_assets_tests.modalities.beatmap.official_case import (
    AUDIO_DATA,
    BOUGHT,
    BPM,
    FIRST_PACK,
    NOTES,
    SECOND_PACK,
    SHIPPED,
    SPEEDS,
    Notes,
    fetched,
    first_level,
    game_folder,
    gzipped,
    level_bundle,
    pack_bundle,
    planned,
    put,
    second_level,
    tone,
    v3_file,
    v4_file,
)


@pytest.fixture
def game(tmp_path: Path) -> Path:
    return game_folder(tmp_path / "Beat Saber")


def levels_of(game: Path) -> OfficialLevels:
    found = source(str(game), {})
    assert isinstance(found, OfficialLevels)
    return found


def state_of(root: Path) -> dict[str, tuple[int, int, bytes]]:
    """Every file and folder with its times and content."""
    return {
        str(path.relative_to(root)): (
            path.stat().st_mtime_ns,
            path.stat().st_ctime_ns,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in sorted([root, *root.rglob("*")])
    }


def notes_in(folder: Path) -> dict[tuple[str, str], Notes]:
    """The notes that stage raw reads, as (beat, x, y, color, cut)."""
    fields = ("beat", "x", "y", "color", "cut_direction")
    return {
        (item.info.characteristic, item.info.difficulty): tuple(
            zip(*(item.parsed.objects["notes"][name].tolist() for name in fields), strict=True)
        )
        for item in read_song(folder).readable
    }


def speeds_in(folder: Path) -> dict[tuple[str, str], tuple[float | None, float | None]]:
    infos = [item.info for item in read_song(folder).readable]
    return {(info.characteristic, info.difficulty): (info.njs, info.njo) for info in infos}


def test_a_whole_game_is_read_to_the_last_note_and_only_the_broken_level_is_rejected(
    game: Path, tmp_path: Path
) -> None:
    folders, rejected = fetched(levels_of(game), tmp_path / "work", tmp_path / "out")
    assert set(folders) == {"official.100bills", "official.crabrave"}
    assert {path: error.reason for path, error in rejected.items()} == {
        "official.broken": f"{SHIPPED}/broken: no TextAsset with path id 4711 in the bundle"
    }
    assert "verified" in rejected["official.broken"].remedy
    bills = folders["official.100bills"]
    assert notes_in(bills) == NOTES
    assert speeds_in(bills) == SPEEDS
    assert (bills / "song.ogg").read_bytes() == tone("OGG")
    song = read_song(bills)
    assert (song.info.title, song.info.subtitle, song.info.artist, song.info.mappers, song.info.bpm) == (
        "The song 100Bills",
        "feat. none",
        "A band",
        ("A mapper",),
        BPM,
    )
    np.testing.assert_allclose(song.readable[0].tempo.time([2, 5, 8]), [1, 2, 3], atol=1e-12)
    assert song.warnings == ()
    rave = folders["official.crabrave"]
    assert notes_in(rave) == {("Standard", "Expert"): NOTES["Standard", "Expert"]}
    assert speeds_in(rave) == {("Standard", "Expert"): (14.0, 0.0)}
    assert (rave / "song.wav").read_bytes() == tone("WAV")
    assert read_song(rave).info.title == "Crab Rave"


def test_two_extractions_give_the_same_files_and_identities(game: Path, tmp_path: Path) -> None:
    once, _ = fetched(levels_of(game), tmp_path / "work", tmp_path / "once")
    again, _ = fetched(levels_of(game), tmp_path / "other work", tmp_path / "again")
    for path, folder in once.items():
        files = {item.name: item.read_bytes() for item in folder.iterdir()}
        assert files == {item.name: item.read_bytes() for item in again[path].iterdir()}
        assert raw.fingerprint(folder) == raw.fingerprint(again[path])


def test_the_clock_in_a_gzip_header_reaches_no_file(game: Path, tmp_path: Path) -> None:
    before, _ = fetched(levels_of(game), tmp_path / "work", tmp_path / "before")
    put(game, f"{SHIPPED}/100bills", first_level(clock_s=1_234_567_890))
    after, _ = fetched(levels_of(game), tmp_path / "work", tmp_path / "after")
    names = sorted(path.name for path in before["official.100bills"].iterdir())
    assert names == [
        "BPMInfo.dat",
        "ExpertOneSaber.dat",
        "ExpertPlusStandard.dat",
        "ExpertStandard.dat",
        "Info.dat",
        "song.ogg",
    ]
    for name in names:
        assert (before["official.100bills"] / name).read_bytes() == (after["official.100bills"] / name).read_bytes()


def test_nothing_in_the_game_folder_changes(game: Path, tmp_path: Path) -> None:
    for folder in (game, *(path for path in game.rglob("*") if path.is_dir())):
        folder.chmod(0o555)
    before = state_of(game)
    try:
        fetched(levels_of(game), tmp_path / "work", tmp_path / "out")
        assert state_of(game) == before
    finally:
        for folder in (game, *(path for path in game.rglob("*") if path.is_dir())):
            folder.chmod(0o755)


def test_offers_say_what_is_not_in_the_bytes(game: Path, tmp_path: Path) -> None:
    offers = planned(levels_of(game), tmp_path / "work")
    bills, rave = offers["official.100bills"], offers["official.crabrave"]
    assert bills.facts == {"source_id": "100Bills", "pack": "ostvol1"}
    assert rave.facts == {"source_id": "CrabRave", "pack": "monstercat"}
    assert bills.origin == str(game / SHIPPED / "100bills")
    assert bills.document is not None
    assert {entry["characteristic"]: entry["speeds"] for entry in bills.document["said"]["sets"]} == {
        "Standard": {"Expert": [16.0, -0.5], "ExpertPlus": [18.5, 0.1]},
        "OneSaber": {"Expert": [12.0, 0.25]},
    }
    assert bills.document["said"]["_songDuration"] == 2.5


def test_a_level_that_only_a_pack_knows_is_not_offered(game: Path, tmp_path: Path) -> None:
    assert not any("notinstalled" in path for path in planned(levels_of(game), tmp_path / "work"))


def test_versions_follow_the_bytes_of_the_level_and_what_its_pack_says(game: Path, tmp_path: Path) -> None:
    def versions() -> dict[str, str]:
        return {path: offer.version for path, offer in planned(levels_of(game), tmp_path / "work").items()}

    first = versions()
    for path in game.rglob("*"):
        os.utime(path)
    assert versions() == first
    put(game, f"{SHIPPED}/100bills", first_level(_version=2))
    second = versions()
    assert {path for path in first if first[path] != second[path]} == {"official.100bills"}
    (game / SECOND_PACK).unlink()
    third = versions()
    assert {path for path in first if second[path] != third[path]} == {"official.crabrave"}


def test_where_the_game_is_installed_is_no_part_of_a_version(tmp_path: Path) -> None:
    plans = [planned(levels_of(game_folder(tmp_path / name)), tmp_path / "work") for name in ("a", "b")]
    first, second = ({path: offer.version for path, offer in plan.items()} for plan in plans)
    assert first == second


def test_a_second_plan_opens_no_bundle(game: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = planned(levels_of(game), tmp_path / "work")
    opened: list[Path] = []
    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: opened.append(path) or read(path))
    assert planned(levels_of(game), tmp_path / "work") == first
    assert [path for path in opened if path.is_relative_to(game)] == []


def test_a_plan_left_in_the_middle_keeps_what_it_learnt(game: Path, tmp_path: Path) -> None:
    plan = levels_of(game).plan({}, tmp_path / "work")
    next(plan)
    plan.close()
    [ledger] = (tmp_path / "work").glob("ledger.*.json")
    assert any(key.startswith("digest:") for key in json.loads(ledger.read_bytes())["files"])


def test_what_a_ledger_of_another_format_says_is_not_believed(
    game: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned(levels_of(game), tmp_path / "work")
    monkeypatch.setattr(official_ledger, "_FORMAT", 2)
    asked: list[str] = []
    read = official_packs.read_pack
    monkeypatch.setattr(official_packs, "read_pack", lambda path, label: asked.append(label) or read(path, label))
    planned(levels_of(game), tmp_path / "work")
    assert sorted(asked) == sorted([FIRST_PACK, SECOND_PACK])


def test_a_level_no_pack_knows_takes_its_tempo_from_its_audio_data(game: Path, tmp_path: Path) -> None:
    files = {("Standard", "Expert"): gzipped(v4_file(NOTES["Standard", "Expert"]))}
    put(game, f"{SHIPPED}/stray", level_bundle("StraySong", files, tone("OGG"), AUDIO_DATA))
    put(game, f"{SHIPPED}/mute", level_bundle("MuteSong", {("Standard", "Expert"): gzipped(v3_file(()))}))
    from_source = levels_of(game)
    folders, rejected = fetched(from_source, tmp_path / "work", tmp_path / "out")
    stray = read_song(folders["official.stray"]).info
    assert (stray.title, stray.bpm, stray.difficulties[0].njs) == ("StraySong", 120.0, None)
    assert planned(from_source, tmp_path / "work")["official.stray"].facts == {"source_id": "stray", "pack": None}
    assert "no pack knows the level" in rejected["official.mute"].reason


def test_level_ids_match_without_case_and_without_opening_a_level(game: Path, tmp_path: Path) -> None:
    put(game, SECOND_PACK, pack_bundle("monstercat", {"mIxED": {}, "CRABRAVE": {}}))
    files = {("Standard", "Expert"): gzipped(v3_file(NOTES["Standard", "Expert"]))}
    put(game, f"{SHIPPED}/MiXed", level_bundle("OtherName", files))
    put(game, f"{BOUGHT}/0777/notinstalled.bundle", level_bundle("AnotherName", files))
    offers = planned(levels_of(game), tmp_path / "work")
    assert offers["official.mixed"].facts == {"source_id": "mIxED", "pack": "monstercat"}
    assert offers["official.crabrave"].facts == {"source_id": "CRABRAVE", "pack": "monstercat"}
    assert offers["official.0777"].facts == {"source_id": "NotInstalled", "pack": "ostvol1"}
    [ledger] = (tmp_path / "work").glob("ledger.*.json")
    assert not any(key.startswith("name:") for key in json.loads(ledger.read_bytes())["files"])


def test_a_bought_level_is_matched_by_the_name_in_its_bundle(game: Path, tmp_path: Path) -> None:
    (game / BOUGHT / "crabrave").rename(game / BOUGHT / "0123-dlc")
    offer = planned(levels_of(game), tmp_path / "work")["official.0123-dlc"]
    assert offer.facts == {"source_id": "CrabRave", "pack": "monstercat"}


def test_a_pack_that_cannot_be_read_is_one_rejection(game: Path, tmp_path: Path) -> None:
    put(game, SECOND_PACK, (game / SECOND_PACK).read_bytes()[:400])
    folders, rejected = fetched(levels_of(game), tmp_path / "work", tmp_path / "out")
    name = SECOND_PACK.rpartition("/")[2]
    assert f"{SECOND_PACK}: the bundle ends after 400 of" in rejected[f"official.pack.{name}"].reason
    assert "no pack knows the level" in rejected["official.crabrave"].reason
    assert set(folders) == {"official.100bills"}


def test_levels_of_one_id_are_told_apart(game: Path, tmp_path: Path) -> None:
    put(game, f"{SHIPPED}/CrabRave", first_level())
    offers = planned(levels_of(game), tmp_path / "work")
    rave = sorted(path for path in offers if path.startswith("official.crabrave"))
    assert [path.count(".") for path in rave] == [1, 2]
    assert offers[rave[0]].origin == str(game / SHIPPED / "CrabRave")


def test_a_file_that_changed_since_the_plan_is_left_for_the_next(game: Path, tmp_path: Path) -> None:
    from_source = levels_of(game)
    offer = planned(from_source, tmp_path / "work")["official.100bills"]
    put(game, f"{SHIPPED}/100bills", second_level())
    with pytest.raises(SourceError, match="changed since it was looked at"):
        from_source.fetch(offer, tmp_path / "work", tmp_path)
    (game / SHIPPED / "100bills").unlink()
    with pytest.raises(SourceError, match="no longer there"):
        from_source.fetch(offer, tmp_path / "work", tmp_path)


def test_a_level_is_fetched_in_a_worker_process(game: Path, tmp_path: Path) -> None:
    from_source = levels_of(game)
    assert from_source.processes
    offer = planned(from_source, tmp_path / "work")["official.crabrave"]
    (tmp_path / "out").mkdir()
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        pool.apply(_fetch_pickled, (pickle.dumps((from_source, offer)), tmp_path / "work", tmp_path / "out"))
    assert read_song(tmp_path / "out").info.title == "Crab Rave"


def _fetch_pickled(pickled: bytes, work: Path, out: Path) -> None:
    from_source, offer = pickle.loads(pickled)
    assert isinstance(offer, Offer)
    from_source.fetch(offer, work, out)


def test_wrong_usage_is_said_at_once(game: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="no option 'max_maps'"):
        source(str(game), {"max_maps": "3"})
    with pytest.raises(UsageError, match="official:/path/to"):
        source("", {})
    with pytest.raises(UsageError, match="no such folder"):
        source(str(tmp_path / "nowhere"), {})
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r'pip install "bgb_assets\[unity\]"'):
        source(str(game), {})


def test_a_game_folder_without_songs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "StreamingAssets").mkdir()
    with pytest.raises(SourceError, match="neither packs nor levels"):
        planned(levels_of(tmp_path), tmp_path / "work")
