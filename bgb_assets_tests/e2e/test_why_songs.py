"""`bgb why` on real commands: each change of a song is named, in the stage that reads it and in no other."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile

from bgb_assets_tests.driving import ingest, walk
from bgb_assets_tests.e2e.songs import open_chain
from bgb_assets_tests.fixtures import REPOSITORY
from bgb_assets_tests.test_cli import bgb, configure, root_in_use

SONG = "song_0000"
DIFFICULTY = "ExpertStandard.dat"
AS_FIRST_MADE = "as first made"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with one song, brought as far as notes."""
    root = tmp_path_factory.mktemp("finished") / "data"
    with root_in_use(root):
        shutil.copytree(REPOSITORY / "data" / "samples" / "beatmap" / SONG, root / "inbox" / "beatmap" / SONG)
        make(root)
    return root


@pytest.fixture
def root(finished: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of it, which `bgb` works on."""
    shutil.copytree(finished, tmp_path / "data")
    with root_in_use(tmp_path / "data") as root:
        yield root


def make(root: Path) -> None:
    ingest(open_chain(root))
    walk(open_chain(root))


def why(stage: str) -> tuple[str, list[str]]:
    """Return what `bgb why` calls the song's entry of a stage, and its reasons."""
    said = bgb("why", f"beatmap/{stage}", SONG, "--json")
    assert said.code == 0, said.err
    value = said.json()
    printed = bgb("why", f"beatmap/{stage}", SONG).out.splitlines()
    told = [*(f"  {line}" for line in value["lines"]), *(f"    {line}" for line in value["details"])]
    assert printed == [f"beatmap/{stage} {SONG}: {value['state']}", *told]
    return value["state"], value["lines"]


def details(stage: str) -> list[str]:
    """Return what the last change of a stage's entry was, in a mapper's words."""
    found: list[str] = bgb("why", f"beatmap/{stage}", SONG, "--json").json()["details"]
    return found


def changed(stage: str) -> set[str]:
    """Return the names of what the last change of a stage's entry was; none where it is as it was first made."""
    state, lines = why(stage)
    assert state == "current"
    if lines == [AS_FIRST_MADE]:
        return set()
    assert lines[0] == "last change:"
    for line in lines[1:]:
        _, old, arrow, new = line.split()
        assert (arrow, old == new) == ("->", False), line
    return {line.split()[0] for line in lines[1:]}


def edit(root: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change one difficulty in place."""
    path = root / "inbox" / "beatmap" / SONG / DIFFICULTY
    document = json.loads(path.read_bytes())
    change(document)
    path.write_text(json.dumps(document))


def test_moved_note(root: Path) -> None:
    edit(root, lambda document: document["_notes"][3].update(_time=document["_notes"][3]["_time"] + 0.25))
    state, lines = why("notes")
    assert (state, lines[0], lines[1].split()[0]) == ("stale", "beatmap/raw is to be made first:", "difficulties")
    make(root)
    assert changed("raw") == {"difficulties"}
    assert changed("notes") == {"objects"}
    assert changed("cache") == changed("features") == set()
    assert len(details("notes")) == 2
    assert all(line.startswith("Standard Expert: 1 note ") for line in details("notes"))


def test_tempo_event(root: Path) -> None:
    event = {"_time": 41, "_type": 100, "_value": 0, "_floatValue": 97.5}
    edit(root, lambda document: document["_events"].append(event))
    assert why("features")[0] == "stale"
    make(root)
    assert changed("raw") == {"difficulties"}
    assert changed("features") == {"tempo"}
    assert details("features") == ["Standard Expert: BPM event at beat 41 added (97.5 BPM)"]
    assert changed("notes") == {"objects", "tempo"}
    assert changed("cache") == set()


def test_number_of_mel_bands(root: Path) -> None:
    configure(root, "[beatmap.features]\nn_mels = 64\n")
    assert why("features") == ("stale", ["params.n_mels 80 -> 64"])
    make(root)
    assert changed("features") == {"params.n_mels"}
    assert changed("raw") == changed("cache") == changed("notes") == set()


def test_audio_encoded_again(root: Path) -> None:
    (audio,) = (root / "inbox" / "beatmap" / SONG).glob("song.*")
    samples, rate_hz = soundfile.read(audio, dtype="float32")
    soundfile.write(audio, samples, rate_hz, format="OGG", subtype="VORBIS", compression_level=0.9)
    make(root)
    assert changed("raw") == changed("cache") == {"audio"}
    assert changed("features") == {"wav"}
    assert changed("notes") == {"audio", "onset"}
