"""What a source says of songs reaches the manifest, and only the manifest, when it changes: on two real songs."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from bgb_assets.chain import Chain
from bgb_assets.engine.sources import SourceIngest
from bgb_assets.modalities.registry import modality
from bgb_assets.runtime import monitoring
from bgb_assets.storage.heads import heads_of
from bgb_assets_tests.conftest import MakeChain
from bgb_assets_tests.driving import fan_in, walk
from bgb_assets_tests.fixtures import REPOSITORY
from bgb_assets_tests.toy_source import PREFIX, FolderSource, Shelf

SONGS = ("song_0003", "song_0008")
LOVED = {"score": 0.9, "upvotes": 30, "downvotes": 2, "ranked": True, "curated": False}
FACTS = {"source_id": "1a2b", "tags": ["rock", "fast"], "uploaded_at": "2020-05-06T07:08:09Z"}
KEYS = tuple(f"{PREFIX}.{name}" for name in SONGS)


@pytest.fixture
def songs(tmp_path: Path) -> Shelf:
    """A source of two of the songs that come with the project."""
    shelf = Shelf(tmp_path / "shelf")
    for name in SONGS:
        shelf.put(name, REPOSITORY / "data" / "samples" / "beatmap" / name, facts=FACTS)
    shelf.put(SONGS[0], popularity=LOVED, document={"id": "1a2b", "stats": {"score": 0.9}})
    return shelf


@pytest.fixture
def chain(make_chain: MakeChain) -> Chain:
    return make_chain(modality("beatmap"))


def fetch(chain: Chain, shelf: Shelf) -> Any:
    return SourceIngest(chain, PREFIX, FolderSource(shelf.folder)).run()


def made(chain: Chain, file: str) -> list[Mapping[str, Any]]:
    """Return the rows of a file of the newest manifest."""
    head = heads_of(chain.store.layout, "beatmap").all()["manifest"]
    found = chain.store.layout.entry("manifest", "beatmap", head.identity) / file
    rows: list[Mapping[str, Any]] = pq.read_table(found).to_pylist()
    return rows


def calls_of(chain: Chain) -> set[str]:
    """Bring everything through tokens up to date; return the stages of which a function was called."""
    with monitoring.counting() as counts:
        walk(chain)
        fan_in(chain, ["manifest", "tokens"])
    return {name.removeprefix("stage_calls.") for name in counts if name.startswith("stage_calls.")}


def test_what_a_source_says_reaches_the_manifest_and_a_new_score_runs_nothing_before_it(
    songs: Shelf, chain: Chain
) -> None:
    assert fetch(chain, songs).new == KEYS
    assert calls_of(chain) == {"raw", "cache", "features", "notes", "manifest", "tokens"}
    rows = {row["upload"]: row for row in made(chain, "songs.parquet")}
    first, second = (rows[key] for key in KEYS)
    assert first["source"] == second["source"] == PREFIX
    assert first["score"] == pytest.approx(0.9)
    assert {name: first[name] for name in ("upvotes", "downvotes", "ranked", "curated")} == {
        name: LOVED[name] for name in ("upvotes", "downvotes", "ranked", "curated")
    }
    assert (first["source_id"], first["tags"], first["uploaded_at"]) == ("1a2b", ["rock", "fast"], FACTS["uploaded_at"])
    assert (second["score"], second["upvotes"], second["ranked"]) == (None, None, None), "what nobody said is null"
    scores = {row["upload"]: row["score"] for row in made(chain, "rows.parquet")}
    assert scores == {KEYS[0]: pytest.approx(0.9), KEYS[1]: None}

    songs.calls()
    songs.put(SONGS[1], popularity={"score": 0.25})
    assert fetch(chain, songs).touched == (KEYS[1],)
    assert songs.fetched() == []
    assert calls_of(chain) <= {"manifest", "tokens"}
    scores = {row["upload"]: row["score"] for row in made(chain, "rows.parquet")}
    assert scores == {KEYS[0]: pytest.approx(0.9), KEYS[1]: pytest.approx(0.25)}
    assert calls_of(chain) == set(), "and once only"


def test_maps_of_a_program_are_left_out_with_the_reason(songs: Shelf, chain: Chain) -> None:
    songs.put(SONGS[0], facts={**FACTS, "automapper": True})
    songs.put(SONGS[1], facts={**FACTS, "declaredAi": "SageScore"})
    fetch(chain, songs)
    walk(chain, ["notes"])
    fan_in(chain, ["manifest"])
    assert {row["reason"] for row in made(chain, "rows.parquet")} == {"auto_generated"}
    songs.put(SONGS[0], facts=FACTS)
    assert fetch(chain, songs).touched == (KEYS[0],)
    assert calls_of(chain) <= {"manifest", "tokens"}, "no stage of songs reads facts"
    reasons = {row["upload"]: row["reason"] for row in made(chain, "rows.parquet")}
    assert reasons[KEYS[0]] != "auto_generated"
    assert reasons[KEYS[1]] == "auto_generated"


def test_song_that_was_taken_back_leaves_the_manifest(songs: Shelf, chain: Chain) -> None:
    fetch(chain, songs)
    calls_of(chain)
    songs.put(SONGS[0], gone=True)
    assert fetch(chain, songs).gone == (KEYS[0],)
    assert calls_of(chain) <= {"manifest", "tokens"}
    assert {row["upload"] for row in made(chain, "rows.parquet")} == {KEYS[1]}


def test_fetched_song_shares_every_entry_with_the_same_song_of_the_inbox(
    songs: Shelf, chain: Chain, data_root: Path
) -> None:
    from bgb_assets.engine.ingest import Ingest

    shutil.copytree(REPOSITORY / "data" / "samples" / "beatmap" / SONGS[0], data_root / "inbox" / "beatmap" / "mine")
    Ingest(chain).wait_and_apply()
    walk(chain)
    fetch(chain, songs)
    outcomes = walk(chain)
    assert {item.outcome for item in outcomes[KEYS[0]].stages.values()} == {"hit"}
