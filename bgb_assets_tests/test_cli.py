"""Every verb of `bgb`, as a person types it: what it says, what it leaves behind, and its exit code.

One small store of two made-up songs is built once; tests that change something work on a copy. Training, maps
and the web UI take longer: here they get as far as their first answer, the rest is run end to end elsewhere.
"""

import io
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from bgb_assets import cli
from bgb_assets.commands.data import error_of
from bgb_assets.commands.store import parse_bytes
from bgb_assets.modalities.contract import PER_UPLOAD_STAGES, STAGE_NAMES
from bgb_assets.orchestration.runs import RunDone
from bgb_assets.runtime.errors import BgbError, UsageError
from bgb_assets.storage.records import RECORD_NAME
from bgb_assets_tests.fixtures import REPOSITORY

CONFIG = "[inbox]\nsettle_s = 0.0\n[run]\nworkers = 0\n"
SONGS = ("song_0000", "song_0001")


@dataclass(frozen=True)
class Said:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


def bgb(*arguments: object, answer: str = "") -> Said:
    """Run `bgb` in this process as its entry point does."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["bgb", *map(str, arguments)])
        patch.setattr(sys, "stdin", io.StringIO(answer))
        try:
            cli.main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1 if end.code else 0
    return Said(code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two songs that `bgb synth` made."""
    folder = tmp_path_factory.mktemp("made") / "songs"
    said = bgb("synth", "beatmap", folder, "-n", 2, "--seed", 5)
    assert (said.code, said.out) == (0, f"2 synthetic songs in {folder}\n")
    return folder


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, songs: Path) -> Path:
    """A data root with the two songs, up to date through tokens. Not to be changed."""
    root = tmp_path_factory.mktemp("built") / "data"
    with root_in_use(root):
        assert bgb("ingest", "beatmap", songs).code == 0
        assert bgb("materialize", "beatmap").code == 0
    return root


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Path]:
    """An empty data root that `bgb` works on."""
    with root_in_use(tmp_path / "data") as root:
        yield root


@pytest.fixture
def read_only(built: Path) -> Iterator[Path]:
    """The shared data root, for verbs that change nothing."""
    with root_in_use(built) as root:
        yield root


@pytest.fixture
def copied(built: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of the shared data root, to change."""
    shutil.copytree(built, tmp_path / "data")
    with root_in_use(tmp_path / "data") as root:
        yield root


class root_in_use:  # noqa: N801 - reads as a function
    """Point `bgb` at a data root with the instance inside it, for a block."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._patch = pytest.MonkeyPatch()

    def __enter__(self) -> Path:
        self._root.mkdir(parents=True, exist_ok=True)
        (self._root / "config.toml").write_text(CONFIG)
        self._patch.setenv("BGB_DATA_ROOT", str(self._root))
        self._patch.setenv("DAGSTER_HOME", str(self._root / "dagster_home"))
        return self._root

    def __exit__(self, *error: object) -> None:
        self._patch.undo()


def add_bad_song(root: Path, name: str = "song_0000_bad") -> None:
    """Put a song with an empty Info file into the inbox."""
    folder = root / "inbox" / "beatmap" / name
    folder.mkdir(parents=True)
    (folder / "Info.dat").touch()


def configure(root: Path, text: str) -> None:
    (root / "config.toml").write_text(CONFIG + text)


def entries(root: Path, stage: str) -> list[Path]:
    return sorted((root / stage / "beatmap").glob(f"*/*/{RECORD_NAME}"))


# The grammar.


def commands() -> dict[str, Any]:
    """Return every command by its words: `cache prune`."""
    top = get_command(cli.app)
    found = {}
    for name, command in top.commands.items():
        inner = getattr(command, "commands", None)
        found |= {f"{name} {verb}": item for verb, item in inner.items()} if inner else {name: command}
    return found


@pytest.mark.parametrize("words", commands())
def test_every_verb_explains_itself(words: str) -> None:
    said = bgb(*words.split(), "--help")
    assert said.code == 0
    assert said.out.startswith(f"Usage: bgb {words}")
    command = commands()[words]
    assert command.help, f"bgb {words} does not say what it does"
    unexplained = [p.name for p in command.params if not getattr(p, "help", "") and p.name != "modality"]
    assert not unexplained, f"bgb {words}: no help for {unexplained}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nothing",), "No such command 'nothing'"),
        (("ingest",), "Missing argument 'MODALITY'"),
        (("ui", "--port", "door"), "Invalid value for '--port'"),
        (("status", "painting"), "no modality 'painting'; there are beatmap"),
        (("ingest", "beatmap", "/nowhere/at/all"), "/nowhere/at/all: no such file or folder"),
        (("materialize", "beatmap"), "there are no uploads; `bgb ingest beatmap SOURCE` takes some in"),
        (("materialize", "beatmap", "--through", "music"), "no stage 'music'; there are raw, cache, features"),
        (("materialize", "beatmap", "--variant", "tiny"), "--variant is of a model"),
        (("train", "beatmap", "--variant", "huge"), "no variant 'huge'; there are tiny"),
        (("train", "beatmap"), "there are no uploads"),
        (("generate", "nowhere.ogg"), "nowhere.ogg: no such file; give an Ogg, WAV, FLAC or MP3 file"),
        (("demo", "painting"), "No such command 'painting'"),
        (("demo", "eeg", "--patients", "3"), "--patients takes 4 or more"),
        (("synth", "painting", "out"), "no modality 'painting'"),
        (("report", "beatmap", "nobody"), "no upload 'nobody' in beatmap"),
        (("show", "beatmap", "nobody"), "no upload 'nobody' in beatmap"),
        (("show", "beatmap", "../../etc"), "is no upload key"),
        (("why", "features"), "'features' is no asset; write MODALITY/STAGE"),
        (("why", "beatmap/music", "a"), "no stage 'music'"),
        (("why", "beatmap/notes"), "has one entry per song: `bgb why beatmap/notes KEY`"),
        (("why", "beatmap/model", "huge"), "no variant 'huge'"),
        (("remove", "beatmap", "nobody", "--yes"), "no upload 'nobody'"),
        (("quarantine", "retry", "beatmap", "nobody"), "not in quarantine: ['nobody']"),
        (("cache", "prune", "--budget", "some"), "'some' is no size; write 50GiB"),
    ],
)
def test_wrong_use_ends_with_2_and_says_what_there_is(empty: Path, arguments: tuple[str, ...], message: str) -> None:
    said = bgb(*arguments)
    assert said.code == 2
    assert message in said.err
    assert "Traceback" not in said.err


def test_a_process_ends_with_the_same_code(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bgb_assets.cli", "why", "features"],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        env={"BGB_DATA_ROOT": str(tmp_path), "PATH": "/usr/bin:/bin"},
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: 'features' is no asset; write MODALITY/STAGE, for example beatmap/features\n"


# Bringing data in.


def test_a_dry_run_says_what_would_be_copied_and_changes_nothing(empty: Path, songs: Path) -> None:
    said = bgb("ingest", "beatmap", songs, "--dry-run")
    assert (said.code, said.out) == (0, "to be copied: song_0000, song_0001\n")
    assert bgb("ingest", "beatmap", songs, "--dry-run", "--json").json()["to_copy"] == list(SONGS)
    assert not (empty / "inbox").exists()
    assert bgb("ingest", "beatmap", "--dry-run").out == "nothing to do\n"


def test_ingest_copies_and_reports_new_uploads_once(empty: Path, songs: Path) -> None:
    first = bgb("ingest", "beatmap", songs, "--json").json()
    assert (first["new"], first["unchanged"]) == (list(SONGS), 0)
    assert (empty / "inbox" / "beatmap" / "song_0001" / "Info.dat").is_file()
    second = bgb("ingest", "beatmap", songs, "--json").json()
    assert (second["new"], second["unchanged"]) == ([], 2)
    assert bgb("ingest", "beatmap").out.startswith("beatmap: 2 uploads; 0 new, 0 changed")


def test_ingest_refuses_what_it_cannot_tell_apart_from_what_is_there(copied: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "song_0000"
    other.mkdir(parents=True)
    (other / "Info.dat").write_text("{}")
    said = bgb("ingest", "beatmap", tmp_path / "other")
    assert said.code == 2
    assert "exists and differs from" in said.err


def test_uploads_in_place_stay_where_they_lie(empty: Path, songs: Path) -> None:
    plan = bgb("ingest", "beatmap", songs, "--in-place", "--dry-run")
    assert plan.out == "to be watched where they lie: song_0000, song_0001\n"
    assert bgb("ingest", "beatmap", songs, "--in-place").code == 0
    assert not (empty / "inbox" / "beatmap" / "song_0000").exists()
    shown = bgb("show", "beatmap", "song_0000", "--json").json()
    assert shown["source"] == "path"
    assert str(songs / "song_0000" / "Info.dat") in shown["files"]
    assert bgb("remove", "beatmap", "song_0000", "--yes").out == "removed beatmap song_0000: 0 files, 0 entries\n"
    assert (songs / "song_0000" / "Info.dat").is_file()


def test_ingest_names_what_it_could_not_recognise_and_what_vanished(copied: Path) -> None:
    add_bad_song(copied)
    shutil.rmtree(copied / "inbox" / "beatmap" / "song_0001")
    said = bgb("ingest", "beatmap")
    assert "2 uploads; 1 new" in said.out
    assert "1 gone" in said.out
    assert "not recognised, will be quarantined: song_0000_bad: Info.dat: the file is empty, expected JSON" in said.out


def test_many_vanished_uploads_are_held_until_they_are_confirmed(copied: Path) -> None:
    (copied / "config.toml").write_text("[inbox]\nsettle_s = 0.0\nvanish_count = 0\n[run]\nworkers = 0\n")
    shutil.rmtree(copied / "inbox" / "beatmap" / "song_0001")
    said = bgb("ingest", "beatmap")
    assert "nothing was deleted" in said.out
    assert "`bgb ingest beatmap --confirm-deletions` if that is meant" in said.out
    assert bgb("status", "beatmap", "--json").json()["beatmap"]["held"]
    assert "1 gone" in bgb("ingest", "beatmap", "--confirm-deletions").out
    assert bgb("show", "beatmap").out == "song_0000: present, from inbox\nsong_0001: vanished, from inbox\n"


# Bringing assets up to date.


def test_a_second_run_calls_nothing(copied: Path) -> None:
    said = bgb("materialize", "beatmap", "--json")
    counts = said.json()
    assert set(counts) == set(STAGE_NAMES) - {"model"}
    for stage, run in counts.items():
        assert (run["hit"], run["called"], run["built"]) == (2 if stage in PER_UPLOAD_STAGES else 1, 0, 0), stage
    last_run = bgb("status", "beatmap", "--json").json()["beatmap"]["last_run"]
    assert {stage: run["called"] for stage, run in last_run.items()} == dict.fromkeys(counts, 0)
    assert bgb("materialize", "beatmap", "--through", "raw").out == "beatmap/raw: 2 hit\n"


def test_force_rebuilds_the_chosen_stages_of_the_chosen_uploads(copied: Path) -> None:
    said = bgb("materialize", "beatmap", "song_0001", "--through", "raw", "--force")
    assert (said.code, said.out) == (0, "beatmap/raw: 1 built\n")


def test_counts_cover_every_range_of_a_request(copied: Path) -> None:
    (copied / "inbox" / "beatmap" / "song_0000").rename(copied / "inbox" / "beatmap" / "song_0003")
    (copied / "inbox" / "beatmap" / "song_0001").rename(copied / "inbox" / "beatmap" / "song_0005")
    add_bad_song(copied, "song_0004")
    assert bgb("ingest", "beatmap", "--confirm-deletions").code == 0
    said = bgb("materialize", "beatmap", "song_0003", "song_0005", "--through", "raw")
    assert (said.code, said.out) == (0, "beatmap/raw: 2 hit\n")


def test_unknown_uploads_are_wrong_use(read_only: Path) -> None:
    said = bgb("materialize", "beatmap", "song_0000", "song_0009")
    assert (said.code, "no uploads ['song_0009']; `bgb show beatmap` lists them" in said.err) == (2, True)


def test_too_many_rejections_end_with_3_and_keep_the_rest(copied: Path) -> None:
    (copied / "config.toml").write_text(
        "[inbox]\nsettle_s = 0.0\n[run]\nworkers = 0\nquarantine_count = 0\nquarantine_share = 0.0\n"
    )
    add_bad_song(copied)
    assert bgb("ingest", "beatmap").code == 0
    said = bgb("materialize", "beatmap", "--through", "notes")
    assert said.code == 3
    assert "beatmap/notes: 2 hit, 1 quarantined" in said.out
    last = said.err.splitlines()[-1]
    assert last.startswith("error: beatmap: 1 of 3 uploads were quarantined, 0 are allowed")
    assert "see `bgb quarantine list beatmap`" in last


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        (
            "E: in op::\n\nbgb_assets.runtime.errors.UsageError: no manifest\n\nStack Trace:\n x",
            UsageError,
            "no manifest (run 7)",
        ),
        ("E: in op::\n\nbgb_assets.runtime.errors.StoreError: gone\n\nStack Trace:\n x", BgbError, "gone (run 7)"),
        (
            "E: in op::\n\nValueError: a bug\n\nStack Trace:\n x",
            BgbError,
            "run 7 failed: ValueError: a bug; `bgb ui` shows",
        ),
        ("dagster.Interrupted\n\nStack Trace:\n x", BgbError, "run 7 failed: dagster.Interrupted; `bgb ui`"),
        ("", BgbError, "run 7 failed: no step failed; `bgb ui`"),
    ],
)
def test_what_failed_a_run_is_said_in_one_line(text: str, kind: type[BgbError], message: str) -> None:
    error = error_of(RunDone("7", "beatmap: raw", False, text))
    assert type(error) is kind
    assert str(error).startswith(message)


def test_generate_without_a_model_says_how_to_get_one(read_only: Path) -> None:
    said = bgb("generate", next((read_only / "inbox" / "beatmap" / "song_0000").glob("song.*")))
    assert (said.code, said.err) == (
        2,
        "error: beatmap: no model has been trained; `bgb train beatmap` trains one\n",
    )


# Looking at the store.


def test_status_counts_what_is_current(read_only: Path) -> None:
    said = bgb("status")
    assert said.out.startswith(f"beatmap: 2 uploads, 0 gone; data in {read_only}\n")
    value = bgb("status", "--json").json()["beatmap"]
    for stage in PER_UPLOAD_STAGES:
        assert value["stages"][stage] == {"current": 2, "to_do": 0, "quarantined": 0}
    assert set(value["stages"]) == set(STAGE_NAMES) - {"model"}
    assert value["quarantine"] == []


def test_show_names_the_directory_of_every_entry(read_only: Path) -> None:
    value = bgb("show", "beatmap", "song_0000", "--json").json()
    assert list(value["entries"]) == sorted(PER_UPLOAD_STAGES)
    for stage, entry in value["entries"].items():
        assert Path(entry["directory"]).parent.parent == read_only / stage / "beatmap"
        for name, size in entry["files"].items():
            assert (Path(entry["directory"]) / name).stat().st_size == size
    lines = bgb("show", "beatmap", "song_0000").out.splitlines()
    assert lines[0] == "beatmap song_0000: present, from inbox"
    assert lines[1].split() == ["raw", value["entries"]["raw"]["directory"]]
    assert [row["key"] for row in bgb("show", "beatmap", "--json").json()] == list(SONGS)


def test_why_names_the_setting_that_changed(copied: Path) -> None:
    assert bgb("why", "beatmap/features", "song_0000").out == "beatmap/features song_0000: current\n  as first made\n"
    configure(copied, "[beatmap.features]\nn_mels = 96\n")
    features = bgb("why", "beatmap/features", "song_0000")
    assert features.out == "beatmap/features song_0000: stale\n  params.n_mels 80 -> 96\n"
    notes = bgb("why", "beatmap/notes", "song_0000", "--json").json()
    assert notes["state"] == "stale"
    assert notes["lines"] == ["beatmap/features is to be made first:", "params.n_mels 80 -> 96"]
    assert bgb("why", "beatmap/cache", "song_0000").out.splitlines()[0] == "beatmap/cache song_0000: current"
    assert bgb("status", "--json").json()["beatmap"]["stages"]["features"]["to_do"] == 2


def test_why_explains_what_fans_in(copied: Path) -> None:
    assert bgb("why", "beatmap/manifest").out == "beatmap/manifest: current\n  as first made\n"
    assert bgb("why", "beatmap/model").out == "beatmap/model tiny: missing\n  it was never made\n"
    shutil.rmtree(copied / "inbox" / "beatmap" / "song_0001")
    bgb("ingest", "beatmap", "--confirm-deletions")
    assert bgb("why", "beatmap/manifest").out.splitlines()[:1] == ["beatmap/manifest: stale"]
    assert "  upload song_0001 left" in bgb("why", "beatmap/manifest").out.splitlines()


def test_config_show_says_where_each_value_comes_from(copied: Path) -> None:
    configure(copied, "[beatmap.model.tiny.training]\nsteps = 7\n[beatmap.features]\nrange_db = 70\n")
    rows = {row["name"]: row for row in bgb("config", "show", "beatmap", "--json").json()}
    assert rows["data_root"] == {"name": "data_root", "value": str(copied), "source": "BGB_DATA_ROOT"}
    assert rows["beatmap.features.n_mels"]["source"] == "default"
    assert rows["beatmap.features.range_db"]["source"] == f"{copied}/config.toml: [beatmap.features]"
    steps = rows["beatmap.model.tiny.training.steps"]
    assert (steps["value"], steps["source"]) == (7, f"{copied}/config.toml: [beatmap.model.tiny.training]")
    assert "run.workers = 0  (" in bgb("config", "show").out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[beatmpa]\n", "unknown ['beatmpa']; there are the tables automation, beatmap"),
        ("[beatmap.musik]\n", "[beatmap] has no stage ['musik']"),
        ("[beatmap.features]\nmels = 3\n", "[beatmap.features]: unknown ['mels']; it takes"),
        ("[beatmap.features]\nn_mels = 'many'\n", "n_mels: must be int, got 'many'"),
        ("[beatmap.model.huge]\n", "has no variant ['huge']"),
        ("[freshness]\nwindow = 1\n", "[freshness]: unknown ['window']"),
        ("[beatmap\n", "not valid TOML"),
    ],
)
def test_a_wrong_setting_stops_every_verb(copied: Path, text: str, message: str) -> None:
    configure(copied, text)
    for arguments in (("status",), ("config", "show"), ("cache", "status"), ("materialize", "beatmap")):
        said = bgb(*arguments)
        assert said.code == 2, arguments
        assert message in said.err, arguments
    said = bgb("doctor")
    assert (said.code, message in said.out) == (1, True)


def test_a_value_where_a_table_belongs_is_refused(copied: Path) -> None:
    (copied / "config.toml").write_text("run = 3\n")
    said = bgb("config", "show")
    assert (said.code, said.err) == (2, f"error: {copied}/config.toml: [run] must be a table, got 3\n")


def test_doctor_finds_this_installation_right(read_only: Path) -> None:
    said = bgb("doctor")
    assert said.code == 0, said.out
    assert all(line.startswith("ok  ") for line in said.out.splitlines())
    assert "event log: batched" in said.out
    assert {row["name"] for row in bgb("doctor", "--json").json()} >= {"python", "torch", "free disk", "data root"}


def test_doctor_says_what_to_do_about_a_stock_event_log(copied: Path) -> None:
    (copied / "dagster_home" / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    said = bgb("doctor")
    assert said.code == 1
    assert "BAD event log: stock: right, but slow; copy the event_log_storage block" in said.out


# Space.


def test_cache_status_counts_entries_and_bytes(read_only: Path) -> None:
    value = bgb("cache", "status", "--json").json()
    for stage in PER_UPLOAD_STAGES:
        assert value["stages"][f"beatmap/{stage}"]["entries"] == 2
    assert value["orphans"] == {"entries": 0, "bytes": 0}
    assert "beatmap/cache              2 entries" in bgb("cache", "status").out


def test_cache_verify_finds_a_changed_byte(copied: Path) -> None:
    checked = bgb("cache", "verify", "beatmap", "--json").json()
    assert checked["problems"] == {}
    wav = next((copied / "cache" / "beatmap").rglob("audio.wav"))
    data = bytearray(wav.read_bytes())
    data[-1] ^= 1
    wav.write_bytes(data)
    said = bgb("cache", "verify")
    assert said.code == 1
    assert f"{checked['checked']} entries, 1 with problems" in said.out
    assert wav.parent.name in said.out
    assert "delete the directories that are named" in said.err


def test_prune_empties_the_cache_last_and_says_when_that_is_not_enough(copied: Path) -> None:
    roomy = bgb("cache", "prune", "--budget", "50GiB", "--json").json()
    assert (roomy["reached"], roomy["removed"], roomy["evicted"]) == (True, [], [])
    said = bgb("cache", "prune", "--budget", "1kB")
    assert said.code == 1
    assert "0 entries removed, 2 emptied" in said.out
    assert "the budget of 1000 B cannot be reached: what is left is live" in said.err
    assert not list((copied / "cache").rglob("audio.wav"))
    assert bgb("materialize", "beatmap", "--through", "notes").out.count("2 hit") == len(PER_UPLOAD_STAGES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1000", 1000), ("50GiB", 50 << 30), ("800MB", 800_000_000), (" 1.5 k ", 1500), ("2tib", 2 << 40), ("7 B", 7)],
)
def test_sizes_are_read_in_tens_and_twos(text: str, expected: int) -> None:
    assert parse_bytes(text) == expected


@pytest.mark.parametrize("text", ["", "1.2.3", "-4", "GiB", "5 bananas", "1e9", "4iB"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no size; write 50GiB, 800MB or a number of bytes"):
        parse_bytes(text)


def test_rebuild_makes_the_catalog_from_the_records(copied: Path) -> None:
    count = sum(len(entries(copied, stage)) for stage in STAGE_NAMES)
    for path in (copied / "catalog.sqlite", *copied.rglob("catalog.sqlite*")):
        path.unlink(missing_ok=True)
    assert bgb("cache", "rebuild").out == f"{count} entries in the catalog\n"
    assert bgb("materialize", "beatmap", "--json").json()["notes"]["called"] == 0


# Quarantine and removal.


def test_quarantine_lists_and_forgets(copied: Path) -> None:
    add_bad_song(copied)
    assert bgb("quarantine", "list").out == "none\n"
    bgb("ingest", "beatmap")
    assert "beatmap/raw: 2 hit, 1 quarantined" in bgb("materialize", "beatmap", "--through", "raw").out
    row = bgb("quarantine", "list", "--json").json()[0]
    assert (row["key"], row["stage"], row["kind"]) == ("song_0000_bad", "raw", "input")
    listed = bgb("quarantine", "list", "beatmap").out
    assert listed.startswith("beatmap song_0000_bad (input, tried 1x): beatmap/raw 'song_0000_bad': Info.dat")
    assert "quarantined: song_0000_bad" in bgb("status").out
    assert bgb("why", "beatmap/notes", "song_0000_bad").out.startswith("beatmap/notes song_0000_bad: quarantined\n")
    assert "not recognised: Info.dat" in bgb("show", "beatmap", "song_0000_bad").out
    assert bgb("materialize", "beatmap", "--through", "raw", "--json").json()["raw"]["called"] == 0
    assert bgb("quarantine", "retry", "beatmap", "song_0000_bad").out.startswith("1 forgotten")
    assert bgb("materialize", "beatmap", "--through", "raw", "--json").json()["raw"]["called"] == 1


def test_remove_asks_first(copied: Path) -> None:
    said = bgb("remove", "beatmap", "song_0000", answer="n\n")
    assert said.code == 1
    assert "Remove beatmap song_0000 (its files in the inbox)?" in said.out
    assert (copied / "inbox" / "beatmap" / "song_0000").is_dir()


def test_remove_keeps_what_was_made_and_purge_does_not(copied: Path) -> None:
    said = bgb("remove", "beatmap", "song_0000", answer="y\n")
    assert said.code == 0
    assert not (copied / "inbox" / "beatmap" / "song_0000").exists()
    assert len(entries(copied, "notes")) == 2
    said = bgb("remove", "beatmap", "song_0001", "--purge", "--yes")
    assert "made again without it: " in said.out
    assert "manifest" in said.out
    assert len(entries(copied, "notes")) == 1
    assert entries(copied, "manifest") == []
    assert bgb("show", "beatmap").out == "none\n"


def test_bench_runs_the_script_of_a_gate_and_says_what_it_found(copied: Path) -> None:
    assert "no gates [99]; there are 20, 21" in bgb("bench", "beatmap", "--gate", 99).err
    assert "no benchmarks of 'toy'" in bgb("bench", "toy").err
    said = bgb("bench", "beatmap", "--gate", 30, "--small", "--json")
    assert (said.code, said.json()["failed"]) == (0, [])
    assert {line["gate"] for line in said.json()["results"]} == {30}
    assert said.json()["machine"]["packages"]["numpy"]
    assert not (copied / "logs" / "bench").exists()


def test_every_verb_is_run_here_or_in_a_test_of_its_own() -> None:
    here = Path(__file__).parent
    files = [Path(__file__), *sorted(here.glob("commands/test_*.py")), *sorted(here.glob("verbs/test_*.py"))]
    text = "".join(path.read_text("utf-8") for path in files)
    written = {words: '("' + '", "'.join(words.split()) + '"' for words in commands()}
    assert [words for words, call in written.items() if call not in text] == []
