"""`bgb ingest MODALITY PREFIX:REST` and what other verbs say of fetched uploads, as a person types them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bgb_assets.commands.sources import options_of
from bgb_assets.runtime.errors import UsageError
from bgb_assets_tests.test_cli import CONFIG, Said, bgb, root_in_use
from bgb_assets_tests.toy_source import Shelf, installed

KEYS = ["shelf.one", "shelf.two"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "songs"
    assert bgb("synth", "beatmap", folder, "-n", 2).code == 0
    return folder


@pytest.fixture
def songs(made: Path, tmp_path: Path) -> Shelf:
    shelf = Shelf(tmp_path / "shelf")
    shelf.put("one", made / "song_0000", facts={"source_id": "1"})
    shelf.put("two", made / "song_0001", document={"x": 1})
    return shelf


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty data root, and the shelf installed as a source of songs."""
    monkeypatch.syspath_prepend(installed(tmp_path / "site", "beatmap"))
    with root_in_use(tmp_path / "data") as root:
        yield root


def ingest(shelf: Shelf, *more: object) -> Said:
    return bgb("ingest", "beatmap", f"shelf:{shelf.folder}", *more)


@pytest.mark.usefixtures("root")
def test_uploads_are_fetched_and_get_their_partitions(songs: Shelf) -> None:
    said = ingest(songs)
    assert (said.code, said.out) == (0, "beatmap: from shelf: 2 new\n")
    assert "beatmap: from shelf: 2, 2 new" in said.err, "progress goes to standard error"
    assert partitions() == KEYS
    said = ingest(songs, "--json")
    assert said.json()["held"] == KEYS
    shown = bgb("show", "beatmap", "shelf.one", "--json").json()
    assert (shown["source"], shown["origin"]) == ("shelf", "shelf://one")
    assert all(Path(file).is_file() for file in shown["files"])
    assert "shelf.one: present, from shelf, shelf://one" in bgb("show", "beatmap", "shelf.one").out
    songs.put("one", gone=True)
    assert ingest(songs).out == "beatmap: from shelf: 1 gone, 1 held\n"
    assert partitions() == KEYS[1:]


def partitions() -> list[str]:
    from bgb_assets.orchestration.home import open_instance
    from bgb_assets.orchestration.partitions import partitions_name
    from bgb_assets.runtime.settings import load_settings

    with open_instance(load_settings()) as instance:
        return sorted(instance.get_dynamic_partitions(partitions_name("beatmap")))


@pytest.mark.usefixtures("root")
def test_dry_run_and_limit(songs: Shelf) -> None:
    said = ingest(songs, "--dry-run", "--limit", 1)
    assert said.out == "beatmap: from shelf (dry run): 1 new\n  new: shelf.one\n"
    assert ingest(songs, "--dry-run", "--json").json()["new"] == KEYS
    assert bgb("show", "beatmap").out == "none\n"
    assert ingest(songs, "--limit", 1).out == "beatmap: from shelf: 1 new\n  there is more: --limit was reached\n"
    said = ingest(songs, "--limit", -1)
    assert (said.code, said.err) == (2, "error: --limit must be 0 or more, got -1\n")


def test_options_reach_the_source_and_the_command_line_wins(songs: Shelf, root: Path) -> None:
    (root / "config.toml").write_text(f"{CONFIG}[sources.beatmap.shelf]\nat_once = 0\n")
    assert "max_workers must be above 0, got 0" in ingest(songs).err
    assert ingest(songs, "--at-once", 1, "--limit", 1, "--processes=false").code == 0
    said = ingest(songs, "--pages", 3)
    assert (said.code, said.err) == (2, "error: the shelf has no option 'pages'\n")
    (root / "config.toml").write_text(f"{CONFIG}[sources.songs.shelf]\nat_once = 0\n")
    said = ingest(songs)
    assert said.code == 2
    assert "[sources]: unknown ['songs']" in said.err


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["shell:x"], "no source 'shell:' and no file 'shell:x'; the sources are: beatsaver:, official:, shelf:"),
        (["nowhere"], "no such file or folder"),
        (["nowhere", "--pages", "3"], "--pages 3: only where a source is fetched from; a path takes none"),
        (["nowhere", "--limit", "3"], "--limit: only where a source is fetched from"),
        (["--pages", "3", "shelf:x"], "no option '--pages'"),
        (["shelf:x", "--in-place"], "--in-place is about folders, not about shelf:x"),
        (["shelf:x", "--confirm-deletions"], "--confirm-deletions is about folders"),
        (["shelf:x", "--pages"], "no option 'pages'"),
    ],
)
def test_wrong_use_is_named(arguments: list[str], message: str) -> None:
    said = bgb("ingest", "beatmap", *arguments)
    assert said.code == 2
    assert message in said.err


@pytest.mark.usefixtures("root")
def test_path_with_a_colon_is_still_a_path(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("maps:mine").symlink_to(made)
    assert "2 new" in bgb("ingest", "beatmap", "maps:mine").out


@pytest.mark.usefixtures("root")
def test_source_that_breaks_off_fails_after_what_it_gave(songs: Shelf) -> None:
    songs.break_after(1)
    said = ingest(songs)
    assert (said.code, said.out) == (1, "beatmap: from shelf: 1 new\n")
    assert "the shelf does not answer; try later; what was fetched is kept" in said.err
    assert partitions() == KEYS[:1]


@pytest.mark.usefixtures("root")
def test_rejected_offer_is_in_quarantine_until_it_is_forgotten(songs: Shelf) -> None:
    songs.trouble("one", "bad")
    reason = "beatmap/source 'shelf.one': the page is torn, expected a whole one; glue it"
    assert f"  refused: shelf.one: {reason}\n" in ingest(songs).out
    assert bgb("quarantine", "list", "beatmap").out == f"beatmap shelf.one (input, tried 1x): {reason}\n"
    assert bgb("materialize", "beatmap", "--through", "raw").code == 0, "a run knows nothing of it"
    songs.trouble("one", None)
    assert "1 new" not in ingest(songs).out
    assert bgb("quarantine", "retry", "beatmap", "shelf.one").code == 0
    assert ingest(songs).out == "beatmap: from shelf: 1 new, 1 held\n"
    assert bgb("quarantine", "list", "beatmap").out == "none\n"


def test_remove_and_cache_verbs_know_fetched_bytes(songs: Shelf, root: Path) -> None:
    ingest(songs)
    held = bgb("cache", "status", "--json").json()
    files = list((root / "raw" / "blobs").glob("*/*"))
    assert held["blobs"] == {"files": len(files), "bytes": sum(path.stat().st_size for path in files)}
    assert held["orphaned_blobs"]["files"] == 0
    asked = bgb("remove", "beatmap", "shelf.one", answer="n\n")
    assert "its record; it is not fetched from shelf again" in asked.out
    assert bgb("remove", "beatmap", "shelf.one", "--yes").code == 0
    assert "it was removed by hand" in ingest(songs).out
    assert "nothing needs" in bgb("cache", "status").out
    assert bgb("cache", "status", "--json").json()["orphaned_blobs"]["files"] > 0
    assert bgb("quarantine", "retry", "beatmap").out.startswith("0 forgotten"), "what was removed comes back by name"
    size = sum(path.stat().st_size for path in root.glob("raw/blobs/*/*"))
    pruned = bgb("cache", "prune", "--budget", size - 1, "--json").json()
    assert len(pruned["blobs"]) >= 1
    path = next(root.glob("raw/blobs/*/*"))
    path.write_bytes(b"x")
    said = bgb("cache", "verify")
    assert said.code == 1
    assert f"raw/blobs/{path.parent.name}/{path.name}: bytes differ from its name" in said.out


def test_options_are_read_in_both_forms() -> None:
    words = ["--max-maps", "10", "--full", "--tags=a,b", "--min-score", "-1", "--strict"]
    switches = {"full": "true", "strict": "true"}
    assert options_of(words) == {"max_maps": "10", "tags": "a,b", "min_score": "-1", **switches}
    assert options_of([]) == {}
    for wrong in (["x"], ["--a", "--a"], ["--a", "1", "2"], ["--a", "1", "--a", "2"], ["-a", "1"], ["--", "1"]):
        with pytest.raises(UsageError):
            options_of(wrong)


def test_help_shows_sources() -> None:
    said = bgb("ingest", "--help")
    assert said.code == 0
    assert "beatsaver: --max-maps 100" in " ".join(said.out.split())
