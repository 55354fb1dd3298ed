"""Maps from BeatSaver to the manifest, through the command line and a server on this machine, at the real pace."""

import itertools
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from bgb_assets.modalities.contract import PER_UPLOAD_STAGES
from bgb_assets_tests.driving import fan_in, outcomes, walk
from bgb_assets_tests.e2e.songs import manifest_directory, open_chain
from bgb_assets_tests.modalities.beatmap.beatsaver_server import START, BeatSaverServer
from bgb_assets_tests.runtime.web_server import cut, status
from bgb_assets_tests.test_cli import Said, bgb, root_in_use


@pytest.fixture
def server() -> Iterator[BeatSaverServer]:
    with BeatSaverServer() as running:
        for index in range(3):
            running.publish(index, sound=True)
        running.publish(3, versions=[])
        yield running


def ingested(root: Path, server: BeatSaverServer, *options: object) -> Said:
    with root_in_use(root):
        return bgb("ingest", "beatmap", "beatsaver:", "--base-url", server.url, *options, "--json")


def test_maps_reach_the_manifest_with_what_was_said_of_them(server: BeatSaverServer, tmp_path: Path) -> None:
    root = tmp_path / "data"
    server.faults[server.zip_path("1000")].extend([cut(0.4), status(429, Retry_After="1")])
    said = ingested(root, server)
    assert said.code == 0, said.err
    keys = ["beatsaver.1000", "beatsaver.1001", "beatsaver.1002"]
    assert said.json()["new"] == keys
    assert "no published version" in said.json()["refused"]["beatsaver.1003"]
    asked = server.api_asked()
    assert min(later.at_s - earlier.at_s for earlier, later in itertools.pairwise(asked)) >= 1.0

    server.delete("1001", START + timedelta(hours=1))
    server.documents["1002"]["stats"] |= {"upvotes": 900, "score": 0.98}
    server.asked.clear()
    report = ingested(root, server).json()
    assert (report["gone"], report["touched"], report["held"]) == (["beatsaver.1001"], ["beatsaver.1002"], keys[:1])
    assert server.asked == server.api_asked(), "no zip is fetched again"

    chain = open_chain(root)
    left = ["beatsaver.1000", "beatsaver.1002"]
    assert outcomes(walk(chain)) == {key: dict.fromkeys(PER_UPLOAD_STAGES, "built") for key in left}
    fan_in(chain, ["manifest"])
    songs = {row["upload"]: row for row in pq.read_table(manifest_directory(chain) / "songs.parquet").to_pylist()}
    assert sorted(songs) == left
    document = server.documents["1002"]
    assert {
        name: songs["beatsaver.1002"][name] for name in ("source", "source_id", "upvotes", "tags", "uploaded_at")
    } == {
        "source": "beatsaver",
        "source_id": "1002",
        "upvotes": 900,
        "tags": document["tags"],
        "uploaded_at": document["uploaded"],
    }
    assert songs["beatsaver.1002"]["score"] == pytest.approx(0.98)
