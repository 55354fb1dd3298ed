"""The sources of songs through the engine: from a server on this machine, and from a game folder, to the manifest."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from bgb_assets.chain import Chain
from bgb_assets.engine.landing import SourceReport
from bgb_assets.engine.sources import SourceIngest
from bgb_assets.modalities.beatmap.sources import official
from bgb_assets.modalities.registry import modality
from bgb_assets.runtime import monitoring
from bgb_assets.storage.heads import heads_of
from bgb_assets_tests.conftest import MakeChain
from bgb_assets_tests.driving import fan_in, walk
from bgb_assets_tests.modalities.beatmap.beatsaver_ingest import quick
from bgb_assets_tests.modalities.beatmap.beatsaver_server import START, BeatSaverServer
from bgb_assets_tests.modalities.beatmap.official_case import game_folder


@pytest.fixture
def chain(make_chain: MakeChain) -> Chain:
    return make_chain(modality("beatmap"))


@pytest.fixture
def server() -> Iterator[BeatSaverServer]:
    with BeatSaverServer() as server:
        for index in range(6):
            server.publish(index, sound=index < 2)
        yield server


def ingest(chain: Chain, server: BeatSaverServer, limit: int | None = None, **options: str) -> SourceReport:
    return SourceIngest(chain, "beatsaver", quick(server.url, **options)).run(limit=limit)


def downloads(server: BeatSaverServer) -> int:
    found = sum(asked.path.startswith("/cdn/") for asked in server.asked)
    server.asked.clear()
    return found


def songs(chain: Chain) -> dict[str, dict]:
    """Return upload -> row of the manifest's table of songs."""
    fan_in(chain, ["manifest"])
    head = heads_of(chain.store.layout, "beatmap").all()["manifest"]
    path = chain.store.layout.entry("manifest", "beatmap", head.identity) / "songs.parquet"
    return {row["upload"]: row for row in pq.read_table(path).to_pylist()}


def test_maps_of_a_server_come_in_pieces_and_none_twice(server: BeatSaverServer, chain: Chain) -> None:
    report = ingest(chain, server, limit=2)
    assert (len(report.new), report.limited, downloads(server)) == (2, True, 2)
    report = ingest(chain, server)
    assert (len(report.new), report.limited, downloads(server)) == (4, False, 4)
    assert ingest(chain, server).new == ()
    assert downloads(server) == 0
    walk(chain)
    rows = songs(chain)
    assert sorted(rows) == [f"beatsaver.{0x1000 + index:x}" for index in range(6)]
    row, stats = rows["beatsaver.1001"], server.documents["1001"]["stats"]
    assert (row["source"], row["tags"], row["ranked"]) == ("beatsaver", ["tech"], False)
    assert (row["upvotes"], row["score"]) == (stats["upvotes"], pytest.approx(stats["score"]))
    assert row["uploaded_at"] is not None


def test_new_score_and_a_deletion_reach_the_manifest_without_a_download(server: BeatSaverServer, chain: Chain) -> None:
    ingest(chain, server)
    walk(chain)
    songs(chain)
    downloads(server)
    server.documents["1001"]["stats"]["score"] = 0.99
    server.delete("1000", START + timedelta(days=400))
    report = ingest(chain, server, full="true")
    assert (report.touched, report.gone, downloads(server)) == (("beatsaver.1001",), ("beatsaver.1000",), 0)
    with monitoring.counting() as counts:
        walk(chain)
        rows = songs(chain)
    assert {name for name in counts if name.startswith("stage_calls.")} == {"stage_calls.manifest"}
    assert "beatsaver.1000" not in rows
    assert rows["beatsaver.1001"]["score"] == pytest.approx(0.99)


def test_levels_of_a_game_come_with_one_row_for_the_bundle_that_is_broken(chain: Chain, tmp_path: Path) -> None:
    source = official.source(str(game_folder(tmp_path / "game")), {})
    report = SourceIngest(chain, "official", source, workers=2).run()
    assert report.new == ("official.100bills", "official.crabrave")
    (row,) = chain.quarantine.rows()
    assert (row.stage, row.key, row.kind) == ("source", "official.broken", "input")
    again = SourceIngest(chain, "official", source, workers=2).run()
    assert (again.held, again.new) == (report.new, ())
    assert {item.outcome for key in report.new for item in walk(chain)[key].stages.values()} <= {
        "built",
        "hit",
        "absent",
    }
