import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pytest

from bgb_assets.engine.fan_in import FanInRun, head_name
from bgb_assets.modalities.contract import Reads, StageResult
from bgb_assets.runtime import monitoring
from bgb_assets.runtime.errors import ConfigError, StoreError, UsageError
from bgb_assets.storage.digests import sha256_json
from bgb_assets.storage.found_groups import FOUND_FILE, has_found, write_found
from bgb_assets.storage.groups import merge
from bgb_assets.storage.heads import heads_of
from bgb_assets.storage.manifest import read_rows, rows_schema, write_manifest
from bgb_assets.storage.pins import decide, read_pins
from bgb_assets.storage.splits import NONE, SplitParams
from bgb_assets_tests import toy
from bgb_assets_tests.conftest import MakeChain
from bgb_assets_tests.driving import everything, fan_in, ingest, walk

TRAIN = (
    "import sys; from pathlib import Path\n"
    "from bgb_assets.chain import Chain; from bgb_assets.engine.fan_in import FanInRun\n"
    "from bgb_assets.runtime.executor import InProcessExecutor; from bgb_assets.runtime.settings import load_settings\n"
    "from bgb_assets_tests.toy import MODALITY\n"
    "chain = Chain(MODALITY, load_settings({'BGB_DATA_ROOT': sys.argv[1]}), InProcessExecutor())\n"
    "print(FanInRun(chain, 'model').run().outcome)"
)


@pytest.fixture
def inbox(data_root: Path, make_chain: MakeChain) -> Path:
    folder = data_root / "inbox" / "toy"
    toy.synth(folder, 3, seed=4)
    ingest(make_chain())
    walk(make_chain())
    return folder


def entry(chain, outcome) -> Path:
    return chain.store.layout.entry(outcome.stage, "toy", outcome.identity)


def test_manifest_lists_members_and_heads_move(inbox: Path, make_chain: MakeChain) -> None:
    chain = make_chain()
    outcome = FanInRun(chain, "manifest").run()
    rows = json.loads((entry(chain, outcome) / "rows.json").read_text())
    assert [row["upload"] for row in rows] == ["toy_00000", "toy_00001", "toy_00002"]
    assert {row["source"] for row in rows} == {"inbox"}
    assert outcome.record is not None
    assert set(outcome.record.members) == {"toy_00000", "toy_00001", "toy_00002"}
    head = heads_of(chain.store.layout, "toy").get("manifest")
    assert head is not None
    assert head.identity == outcome.identity


def test_fan_in_needs_what_it_reads(inbox: Path, make_chain: MakeChain) -> None:
    with pytest.raises(UsageError, match="there is no manifest yet; run `bgb materialize toy --through tokens`"):
        FanInRun(make_chain(), "tokens").run()
    with pytest.raises(UsageError, match="no variant 'cube'; there are sum, square"):
        FanInRun(make_chain(), "model", "cube")


def test_variants_have_heads_and_entries_of_their_own(inbox: Path, make_chain: MakeChain) -> None:
    fan_in(make_chain())
    chain = make_chain()
    square = FanInRun(chain, "model", "square").run()
    assert square.outcome == "built"
    heads = heads_of(chain.store.layout, "toy").all()
    assert head_name("model", "square") == "model/square"
    assert heads["model/sum"].identity != heads["model/square"].identity == square.identity


def test_parts_are_made_when_missing_only(inbox: Path, data_root: Path, make_chain: MakeChain) -> None:
    everything(make_chain())
    toy.write_upload(inbox / "new", "3 3 3")
    calls = everything(make_chain())
    assert (calls["manifest"], calls["tokens"]) == (2, 2), "one bucket, one shard, and the two listings"
    index = json.loads((entry(make_chain(), fan_in(make_chain())["tokens"]) / "index.json").read_text())
    (data_root / index["shards"][0]["location"] / "tokens.bin").unlink()
    calls = everything(make_chain())
    assert calls == {"tokens": 2}, "a part that was deleted by hand is noticed"


def test_order_of_arrival_leaves_no_trace(data_root: Path, tmp_path: Path, make_chain: MakeChain) -> None:
    names = ["b", "a", "c"]
    found = []
    for order in (names, sorted(names)):
        root = tmp_path / "".join(order)
        root.mkdir()
        shutil.copy(data_root / "config.toml", root)
        for name in order:
            toy.write_upload(root / "inbox" / "toy" / name, f"1 2 {ord(name)}")
            everything(make_chain(root=root))
        found.append(fan_in(make_chain(root=root), ["manifest", "tokens"])["tokens"].data_version)
    assert found[0] == found[1]


def test_member_sees_declared_files_and_parts_only(inbox: Path, make_chain: MakeChain) -> None:
    reads = (Reads("features", ("sums",), ("w2/*",)), Reads("notes", ("notes", "values")))
    modality = toy.with_stage(
        toy.MODALITY, "manifest", reads=reads, run="bgb_assets_tests.engine.test_fan_in:look_around", parts=None
    )
    outcome = FanInRun(make_chain(modality), "manifest").run()
    assert outcome.metadata == {"features": ["w2/sums.bin"], "notes": [], "labels": []}


def look_around(fan_in, params, out):
    member = fan_in.members[0]
    seen = {
        name: sorted(p.relative_to(view.directory).as_posix() for p in view.directory.rglob("*") if p.is_file())
        for name, view in member.entries.items()
    }
    return StageResult(metadata={**seen, "labels": sorted(member.labels)})


def test_missing_entry_says_how_to_make_it(inbox: Path, data_root: Path, make_chain: MakeChain) -> None:
    shutil.rmtree(data_root / "notes")
    with pytest.raises(StoreError, match=r"its entry .* is gone; run `bgb materialize toy`"):
        FanInRun(make_chain(), "manifest").run()


def test_stale_manifest_names_who_left(inbox: Path, make_chain: MakeChain) -> None:
    fan_in(make_chain(), ["manifest"])
    shutil.rmtree(inbox / "toy_00001")
    ingest(make_chain())
    with pytest.raises(StoreError, match="'toy_00001' is in the manifest but has no entries now"):
        FanInRun(make_chain(), "tokens").run()


def test_empty_manifest_is_valid(data_root: Path, make_chain: MakeChain) -> None:
    ingest(make_chain())
    assert {stage: item.outcome for stage, item in fan_in(make_chain()).items()} == dict.fromkeys(
        ("manifest", "tokens", "model"), "built"
    )


def test_force_makes_again(inbox: Path, make_chain: MakeChain) -> None:
    first = fan_in(make_chain())
    again = FanInRun(make_chain(), "manifest").run(force=True)
    assert again.called
    assert again.data_version == first["manifest"].data_version


def test_environment_forces_one_stage_and_the_outcome_says_so(
    inbox: Path, make_chain: MakeChain, toy_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = fan_in(make_chain())
    (toy_dir / "calls").unlink()
    monkeypatch.setenv("BGB_FORCE_MANIFEST_REBUILD", "1")
    again = fan_in(make_chain())
    assert toy.calls_made(toy_dir) == ["manifest"]
    assert [again[stage].outcome for stage in ("manifest", "tokens", "model")] == ["built", "hit", "hit"]
    assert again["manifest"].data_version == first["manifest"].data_version
    assert again["manifest"].metadata["forced"] == "BGB_FORCE_MANIFEST_REBUILD=1"
    assert "made again although nothing had to change" in again["manifest"].warnings[-1]
    monkeypatch.delenv("BGB_FORCE_MANIFEST_REBUILD")
    assert fan_in(make_chain())["manifest"].outcome == "hit"
    monkeypatch.setenv("BGB_FORCE_MANIFEST_REBUILD", "maybe")
    with pytest.raises(ConfigError, match="'maybe'"):
        FanInRun(make_chain(), "manifest").run()


def test_killed_training_goes_on_where_it_was(
    inbox: Path, data_root: Path, toy_dir: Path, make_chain: MakeChain
) -> None:
    expected = fan_in(make_chain())["model"]
    shutil.rmtree(data_root / "model")
    (toy_dir / "calls").unlink()
    (toy_dir / "stall").write_text("step 3")
    training = subprocess.Popen([sys.executable, "-c", TRAIN, str(data_root)])
    _wait_for(toy_dir / "stalled")
    training.send_signal(signal.SIGKILL)
    training.wait()
    assert list((data_root / "model").glob("*/*/*")) == []
    (toy_dir / "stall").unlink()
    outcome = FanInRun(make_chain(), "model").run()
    assert outcome.called
    assert outcome.data_version == expected.data_version
    assert toy.calls_made(toy_dir) == ["model", *(f"step {i}" for i in range(4)), "model", "step 3", "step 4"]
    assert not (data_root / ".work" / outcome.identity).exists()
    logs = data_root / "logs" / "toy" / outcome.identity / "log.txt"
    assert logs.is_file(), "outside the entry"


def test_loser_of_a_training_race_waits_and_hits(
    inbox: Path, data_root: Path, toy_dir: Path, make_chain: MakeChain
) -> None:
    fan_in(make_chain(), ["manifest", "tokens"])
    (toy_dir / "pause_s").write_text("0.05")
    racers = [
        subprocess.Popen([sys.executable, "-c", TRAIN, str(data_root)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [racer.communicate(timeout=60)[0].strip() for racer in racers]
    assert sorted(said) == ["built", "hit"]
    assert toy.calls_made(toy_dir).count("model") == 1


def _wait_for(path: Path) -> None:
    deadline_s = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline_s
        os.sched_yield()
        time.sleep(0.01)


def manifest_that_finds(fan_in, params, out):
    """The first two uploads are one group; the file of rows is the one that every real manifest has."""
    pins = read_pins(fan_in.pins)
    keys = [member.key for member in fan_in.members]
    decision = decide("toy", keys, [NONE] * len(keys), pins, SplitParams())
    rows = {
        "row_id": keys,
        "upload": keys,
        "group": decision.groups,
        "split": decision.splits,
        "fold": [-1] * len(keys),
        "included": [True] * len(keys),
        "reason": [""] * len(keys),
        "weight": [1.0] * len(keys),
        "entry": keys,
    }
    schema = rows_schema({})
    table = pa.table({name: pa.array(rows[name], schema.field(name).type) for name in schema.names}, schema)
    write_manifest(out, table, where="toy/manifest", schema=schema, params=None)
    merged = merge(keys, pins.same)
    pairs = [pair for pair in [tuple(keys[:2])] if len({merged[key] for key in pair}) == 2]
    write_found(out, pairs, dict(zip(keys, decision.splits, strict=True)))
    return StageResult({"rows": sha256_json(list(decision.groups))})


FINDS = toy.with_stage(
    toy.MODALITY,
    "manifest",
    run="bgb_assets_tests.engine.test_fan_in:manifest_that_finds",
    parts=None,
    publishes=("rows",),
    audits={},
)


def test_found_groups_are_pinned_and_the_manifest_is_made_again_from_the_pins(
    inbox: Path, data_root: Path, make_chain: MakeChain
) -> None:
    with monitoring.counting() as counts:
        first = FanInRun(make_chain(FINDS), "manifest").run()
    assert (first.outcome, counts["stage_calls.manifest"]) == ("built", 2)
    chain = make_chain(FINDS)
    assert not has_found(entry(chain, first))
    assert [warning.partition(": ")[0] for warning in first.warnings] == [
        f"groups that were found to be one are pinned in {data_root / 'pins' / 'toy'}"
    ]
    pins = read_pins(data_root / "pins" / "toy")
    assert pins.pairs == (("toy_00000", "toy_00001"),)
    assert set(pins.splits) == {"toy_00000", "toy_00001"}
    with monitoring.counting() as counts:
        again = FanInRun(chain, "manifest").run()
    assert (again.outcome, again.identity, counts["stage_calls.manifest"]) == ("hit", first.identity, 0)
    assert again.warnings == ()
    head = heads_of(chain.store.layout, "toy").get("manifest")
    assert head is not None
    assert head.identity == first.identity == FanInRun(chain, "manifest").identity().digest()


def test_pins_taken_back_are_found_again_without_a_call(inbox: Path, data_root: Path, make_chain: MakeChain) -> None:
    first = FanInRun(make_chain(FINDS), "manifest").run()
    before = {path.name: path.read_bytes() for path in (data_root / "pins" / "toy").iterdir()}
    shutil.rmtree(data_root / "pins")
    with monitoring.counting() as counts:
        again = FanInRun(make_chain(FINDS), "manifest").run()
    assert again.identity == first.identity
    assert counts["stage_calls.manifest"] == 0, "both entries were there"
    assert {path.name: path.read_bytes() for path in (data_root / "pins" / "toy").iterdir()} == before


def test_a_group_keeps_the_split_it_had_in_the_manifest_in_use(
    inbox: Path, data_root: Path, make_chain: MakeChain
) -> None:
    shutil.move(inbox / "toy_00000", data_root / "aside")
    ingest(make_chain(FINDS))
    plain = toy.with_stage(FINDS, "manifest", run="bgb_assets_tests.engine.test_fan_in:manifest_alone")
    rows = read_rows(entry(make_chain(plain), FanInRun(make_chain(plain), "manifest").run())).to_pylist()
    held = {row["upload"]: row["split"] for row in rows}
    shutil.move(data_root / "aside", inbox / "toy_00000")
    ingest(make_chain(FINDS))
    walk(make_chain(FINDS))
    FanInRun(make_chain(FINDS), "manifest").run()
    splits = read_pins(data_root / "pins" / "toy").splits
    assert list(splits) == ["toy_00001", "toy_00000"], "the one that was there is pinned first"
    assert set(splits.values()) == {held["toy_00001"]}


def manifest_alone(fan_in, params, out):
    result = manifest_that_finds(fan_in, params, out)
    (out / FOUND_FILE).unlink()
    return result


def test_a_pin_file_that_cannot_be_read_stops_the_run_and_is_left_alone(
    inbox: Path, data_root: Path, make_chain: MakeChain
) -> None:
    (data_root / "pins" / "toy").mkdir(parents=True)
    (data_root / "pins" / "toy" / "groups.json").write_text("{")
    with pytest.raises(ConfigError, match=r"groups\.json: expected"):
        FanInRun(make_chain(FINDS), "manifest").run()
    assert (data_root / "pins" / "toy" / "groups.json").read_text() == "{"
