"""Two encodes of one recording through the whole chain: found, pinned, one group, and nothing made twice."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from bgb_assets.chain import Chain
from bgb_assets.engine.audit import audits
from bgb_assets.engine.fan_in import FanInRun
from bgb_assets.engine.outcomes import StageOutcome
from bgb_assets.engine.space import prune
from bgb_assets.modalities.beatmap import MODALITY
from bgb_assets.modalities.beatmap.synth import synth
from bgb_assets.modalities.beatmap.tables.filters import FilterParams
from bgb_assets.modalities.beatmap.tables.manifest_params import ManifestParams
from bgb_assets.runtime import monitoring
from bgb_assets.storage.heads import heads_of
from bgb_assets.storage.manifest import read_counts, read_rows
from bgb_assets.storage.pins import read_pins
from bgb_assets_tests.conftest import MakeChain
from bgb_assets_tests.driving import ingest, walk
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.toy import with_stage

VIBE_ACE = ("Kevin_MacLeod_-_Vibe_Ace.ogg", "Kevin_MacLeod_-_Vibe_Ace.hq.ogg")
TRUMPET = "sorohanro_-_solo-trumpet-06.ogg"
ANY_TIMING = FilterParams(
    min_timing_ratio=0.0, min_timing_shift_ms=-1e9, max_timing_shift_ms=1e9, notes_after_audio=True
)
"""The real audio has maps that were made for another song."""

ALONE = with_stage(MODALITY, "manifest", params=ManifestParams(filters=ANY_TIMING, group_by="audio"))


@pytest.fixture
def uploads(data_root: Path) -> Path:
    """Three made-up songs; the audio of three more is real: two encodes of Vibe Ace, and a trumpet."""
    inbox = data_root / "inbox" / "beatmap"
    synth(inbox, 3, 9)
    for number, name in enumerate((*VIBE_ACE, TRUMPET)):
        folder = inbox / f"real {number}"
        shutil.copytree(inbox / "song_0000", folder)
        shutil.copy(shared_data("beatmap") / "audio" / name, folder / "song.egg")
    return inbox


@pytest.fixture
def chain(uploads: Path, make_chain: MakeChain) -> Chain:
    """The chain after all uploads went through its first four stages."""
    chain = make_chain(MODALITY)
    ingest(chain)
    assert all(outcome.rejection is None for outcome in walk(chain).values())
    return chain


def manifest(chain: Chain) -> tuple[StageOutcome, Mapping[str, int]]:
    with monitoring.counting() as counts:
        outcome = FanInRun(chain, "manifest").run()
    return outcome, counts


def directory(chain: Chain, outcome: StageOutcome) -> Path:
    return chain.store.layout.entry("manifest", "beatmap", outcome.identity)


def groups(chain: Chain, outcome: StageOutcome) -> Mapping[str, tuple[str, int]]:
    rows = read_rows(directory(chain, outcome), ["upload", "group", "split"]).to_pylist()
    return {row["upload"]: (row["group"], row["split"]) for row in rows}


def problems(chain: Chain) -> list[str]:
    found = audits(chain.modality)["manifest", "recordings"](chain)
    return list(found["problems"])


def test_two_encodes_become_one_group_and_the_next_run_is_a_hit(chain: Chain, make_chain: MakeChain) -> None:
    first, counts = manifest(chain)
    assert counts["stage_calls.manifest"] > 2, "made, pinned and made again"
    pins = chain.store.layout.pins("beatmap")
    ids = {chain.records_of(chain.uploads.get(f"real%20{i}"))["raw"].facets["audio"] for i in (0, 1)}
    assert read_pins(pins).pairs == (tuple(sorted(ids)),)
    assert set(read_pins(pins).splits) == ids
    held = groups(chain, first)
    assert held["real%200"] == held["real%201"]
    assert held["real%200"][0] == min(ids)
    assert len({group for group, _ in held.values()}) == 5, "no other two of the six are one"
    assert first.metadata["recordings"] == {"pairs": 0, "straddling": 0, "merged": 1}
    assert problems(chain) == []
    written = {path: path.read_bytes() for path in pins.iterdir()}
    again, counts = manifest(make_chain(MODALITY))
    assert (again.outcome, again.identity, counts["stage_calls.manifest"]) == ("hit", first.identity, 0)
    assert {path: path.read_bytes() for path in pins.iterdir()} == written


def test_a_removed_pair_comes_back_until_a_person_denies_it(chain: Chain, make_chain: MakeChain) -> None:
    first, _ = manifest(chain)
    pins = chain.store.layout.pins("beatmap")
    line = json.loads((pins / "groups.json").read_bytes())["pins"][0]
    (pins / "groups.json").unlink()
    again, _ = manifest(make_chain(MODALITY))
    assert again.identity == first.identity
    (pins / "not_same.json").write_text(json.dumps({"version": 1, "pins": [line[::-1]]}))
    denied, _ = manifest(make_chain(MODALITY))
    assert len({group for group, _ in groups(chain, denied).values()}) == 6
    assert read_counts(directory(chain, denied))["recordings"] == {"pairs": [], "straddling": []}


def test_an_encode_that_comes_later_joins_the_split_that_is_in_use(chain: Chain, make_chain: MakeChain) -> None:
    """Whichever of the two was there first: its split, by its own hash, stays."""
    inbox = chain.settings.data_root / "inbox" / "beatmap"
    for later in ("real 0", "real 1"):
        aside = chain.settings.data_root / "aside"
        (inbox / later).rename(aside)
        chain = make_chain(MODALITY)
        ingest(chain, confirm_deletions=True)
        shutil.rmtree(chain.store.layout.pins("beatmap"), ignore_errors=True)
        alone, _ = manifest(chain)
        earlier = ({"real%200", "real%201"} & set(groups(chain, alone))).pop()
        split = groups(chain, alone)[earlier][1]
        assert not (chain.store.layout.pins("beatmap") / "groups.json").exists()
        aside.rename(inbox / later)
        chain = make_chain(MODALITY)
        ingest(chain)
        walk(chain)
        both, _ = manifest(chain)
        assert {groups(chain, both)[f"real%20{i}"][1] for i in (0, 1)} == {split}
        assert not [warning for warning in both.warnings if "was pinned to" in warning], "nothing moves"


def test_without_grouping_the_check_says_which_pairs_straddle(chain: Chain, make_chain: MakeChain) -> None:
    loose = make_chain(ALONE)
    outcome, _ = manifest(loose)
    recordings = read_counts(directory(loose, outcome))["recordings"]
    held = groups(loose, outcome)
    straddles = held["real%200"][1] != held["real%201"][1]
    assert len(recordings["pairs"]) == 1
    assert len(problems(loose)) == len(recordings["straddling"]) == int(straddles)
    assert not loose.store.layout.pins("beatmap").exists()


def test_a_newer_cache_with_the_same_sound_makes_no_features_again(chain: Chain, make_chain: MakeChain) -> None:
    newer = make_chain(with_stage(MODALITY, "cache", code_version="next"))
    with monitoring.counting() as counts:
        walk(newer)
    assert counts["stage_calls.cache"] == 6
    assert counts["stage_calls.features"] == counts["stage_calls.notes"] == 0


def test_evicted_songs_are_not_decoded_to_look_at_their_landmarks(chain: Chain, make_chain: MakeChain) -> None:
    first, _ = manifest(chain)
    entries = sum(held.bytes for held in chain.catalog.sizes(["beatmap"]))
    cached = sum(held.bytes for held in chain.catalog.sizes(["beatmap"]) if held.stage == "cache")
    report = prune(chain.store, chain.catalog, ["beatmap"], entries - cached)
    assert report.evicted
    weighted = make_chain(with_stage(MODALITY, "manifest", params=ManifestParams(official_share=0.5)))
    outcome, counts = manifest(weighted)
    assert outcome.outcome == "built"
    assert counts["decodes"] == 0, "the files of landmarks are there"
    assert groups(chain, outcome) == groups(chain, first)
    assert heads_of(chain.store.layout, "beatmap").get("manifest").identity == outcome.identity
