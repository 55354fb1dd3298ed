"""What an ingest leaves behind besides uploads: the report, and the digest of what sources say."""

import json
from pathlib import Path

from bgb_assets.engine.landing import SourceReport, digest_of_said
from bgb_assets.engine.sources import SourceIngest
from bgb_assets.modalities.sources import Offer
from bgb_assets.storage.uploads import VANISHED
from bgb_assets_tests.conftest import MakeChain
from bgb_assets_tests.driving import everything
from bgb_assets_tests.toy_source import PREFIX, FolderSource, Shelf, ingest


def said(make_chain: MakeChain) -> str | None:
    return digest_of_said(make_chain().store.layout, "toy")


def test_digest_of_what_is_said_changes_with_popularity_alone(shelf: Shelf, make_chain: MakeChain) -> None:
    assert said(make_chain) is None
    ingest(make_chain(), shelf)
    everything(make_chain())
    ingest(make_chain(), shelf)
    before = said(make_chain)
    ingest(make_chain(), shelf)
    assert said(make_chain) == before
    shelf.put("a", popularity={"score": 0.1})
    ingest(make_chain(), shelf)
    assert said(make_chain) != before


def test_offer_that_is_taken_back_while_it_is_fetched_never_shows(shelf: Shelf, make_chain: MakeChain) -> None:
    class Hasty(FolderSource):
        def plan(self, held, work):
            yield Offer("shelf.a", "shelf://a", "1")
            yield Offer("shelf.a", "shelf://a", "1", gone=True)
            yield Offer("shelf.b", "shelf://b", "1")

    shelf.trouble("a", "slow")
    report = SourceIngest(make_chain(), PREFIX, Hasty(shelf.folder)).run()
    assert report.new == ("shelf.b",)
    assert make_chain().uploads.keys() == ["shelf.b"]


def test_held_upload_that_is_taken_back_while_a_new_version_is_fetched_is_gone(
    shelf: Shelf, make_chain: MakeChain
) -> None:
    class Hasty(FolderSource):
        def plan(self, held, work):
            yield Offer("shelf.a", "shelf://a", "2")
            yield Offer("shelf.a", "shelf://a", "2", gone=True)

    ingest(make_chain(), shelf)
    shelf.trouble("a", "slow")
    assert SourceIngest(make_chain(), PREFIX, Hasty(shelf.folder)).run().gone == ("shelf.a",)
    assert make_chain().uploads.require("shelf.a").state == VANISHED


def test_document_that_is_lost_is_written_again(shelf: Shelf, data_root: Path, make_chain: MakeChain) -> None:
    shelf.put("a", document={"x": "ü"})
    ingest(make_chain(), shelf)
    path = data_root / "raw" / "documents" / "toy" / "shelf.a.json"
    path.unlink()
    assert ingest(make_chain(), shelf).touched == ("shelf.a",)
    assert json.loads(path.read_text()) == {"x": "ü"}


def test_report_is_json() -> None:
    report = SourceReport(new=("a",), refused={"b": "x"}, limited=True)
    value = json.loads(json.dumps(report.as_json()))
    assert (value["new"], value["refused"], value["limited"], value["incomplete"]) == (["a"], {"b": "x"}, True, None)
