"""What `bgb why` says of a changed song."""

import json
import shutil
from pathlib import Path

import pytest

from bgb_assets.modalities.beatmap import raw
from bgb_assets.modalities.beatmap.formats.changes import explain
from bgb_assets_tests.fixtures import REPOSITORY

SONG = REPOSITORY / "data" / "samples" / "beatmap" / "song_0000"
ALL = ("tempo", "objects", "meta", "audio")


@pytest.fixture
def before(tmp_path: Path) -> Path:
    return entry(SONG, tmp_path / "before")


def entry(upload: Path, out: Path) -> Path:
    out.mkdir()
    raw.run({"upload": upload}, None, out)
    return out


def edited(tmp_path: Path, file: str, change) -> Path:
    upload = tmp_path / "upload"
    shutil.copytree(SONG, upload)
    document = json.loads((upload / file).read_bytes())
    change(document)
    (upload / file).write_text(json.dumps(document))
    return entry(upload, tmp_path / "after")


def test_equal_entries_and_other_stages_have_nothing_to_say(before, tmp_path):
    assert explain("raw", before, entry(SONG, tmp_path / "after"), ALL) == []
    assert explain("features", before, before, ALL) == []


def test_many_notes_are_counted_and_the_first_are_named(before, tmp_path):
    after = edited(tmp_path, "ExpertStandard.dat", lambda document: document["_notes"].__delitem__(slice(0, 6)))
    (line,) = explain("raw", before, after, ALL)
    assert line.startswith("Standard Expert: 6 notes gone, at beat ")
    assert line.endswith(", ...")


def test_many_tempo_events_are_counted(before, tmp_path):
    events = [{"_time": 10 + i, "_type": 100, "_value": 0, "_floatValue": 97.5 + i} for i in range(5)]
    after = edited(tmp_path, "ExpertStandard.dat", lambda document: document["_events"].extend(events))
    lines = explain("raw", before, after, ("tempo",))
    assert lines[0] == "Standard Expert: BPM event at beat 10 added (97.5 BPM)"
    assert lines[3:] == ["Standard Expert: and 2 more BPM events"]
    assert explain("raw", before, after, ("meta", "objects")) == []


def test_titles_and_difficulties(before, tmp_path):
    def change(document):
        document["_songName"] = "Another"
        del document["_difficultyBeatmapSets"][0]["_difficultyBeatmaps"][0]

    lines = explain("raw", before, edited(tmp_path, "Info.dat", change), ALL)
    assert [line.split(": ", 1)[1] for line in lines if "removed" in line] == ["removed"]
    assert any(line.startswith("title: ") and line.endswith("-> 'Another'") for line in lines)
