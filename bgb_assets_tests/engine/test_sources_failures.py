"""Ingest from a source when something goes wrong: what a failure costs, what is kept, what is tried again."""

import errno

import pytest

from bgb_assets.engine.sources import SourceIngest
from bgb_assets.modalities.sources import Offer
from bgb_assets.runtime.errors import ContractError, ResourceError
from bgb_assets.storage.uploads import PRESENT
from bgb_assets_tests.conftest import MakeChain
from bgb_assets_tests.driving import everything
from bgb_assets_tests.engine.test_sources import upload
from bgb_assets_tests.toy_source import PREFIX, FolderSource, Shelf, ingest


def test_rejected_offer_is_one_row_and_not_asked_for_again_in_its_version(shelf: Shelf, make_chain: MakeChain) -> None:
    shelf.trouble("b", "bad")
    report = ingest(make_chain(), shelf)
    assert report.new == ("shelf.a", "shelf.c")
    assert report.refused == {"shelf.b": "toy/source 'shelf.b': the page is torn, expected a whole one; glue it"}
    (row,) = make_chain().quarantine.rows()
    assert (row.stage, row.key, row.kind, row.remedy) == ("source", "shelf.b", "input", "glue it")
    assert everything(make_chain())["raw"] == 2, "the others go on, and the run does not know of it"
    shelf.calls()
    assert set(ingest(make_chain(), shelf).refused) == {"shelf.b"}
    assert shelf.fetched() == []
    shelf.put("b", version="2")
    assert set(ingest(make_chain(), shelf).refused) == {"shelf.b"}
    assert shelf.fetched() == ["b"]
    assert len(list(make_chain().quarantine.rows())) == 1, "of the older version nothing is said any more"
    shelf.put("b", version="3")
    shelf.trouble("b", None)
    assert ingest(make_chain(), shelf).new == ("shelf.b",)
    assert list(make_chain().quarantine.rows()) == []


def test_rejected_new_version_leaves_the_old_one(shelf: Shelf, make_chain: MakeChain) -> None:
    ingest(make_chain(), shelf)
    shelf.put("b", version="2")
    shelf.trouble("b", "bad")
    ingest(make_chain(), shelf)
    assert (upload(make_chain, "b").version, upload(make_chain, "b").state) == ("1", PRESENT)


def test_bug_of_a_source_is_one_row_that_is_tried_twice_again(shelf: Shelf, make_chain: MakeChain) -> None:
    shelf.trouble("b", "bug")
    for _ in range(3):
        report = ingest(make_chain(), shelf)
        assert "ValueError: a bug in the source; this is a bug in the source" in report.refused["shelf.b"]
    assert shelf.fetched().count("b") == 3
    ingest(make_chain(), shelf)
    assert shelf.fetched() == []


def test_killed_worker_costs_its_offer_alone(shelf: Shelf, make_chain: MakeChain) -> None:
    shelf.trouble("b", "kill")
    report = ingest(make_chain(), shelf, processes=True)
    assert report.new == ("shelf.a", "shelf.c")
    assert "SIGKILL" in report.refused["shelf.b"]
    shelf.trouble("b", None)
    assert ingest(make_chain(), shelf, processes=True).new == ("shelf.b",)


def test_what_cannot_be_had_now_is_asked_for_again_even_if_it_is_not_offered_again(
    shelf: Shelf, make_chain: MakeChain
) -> None:
    shelf.trouble("b", "later")
    report = ingest(make_chain(), shelf)
    assert (report.new, report.failed) == (("shelf.a", "shelf.c"), {"shelf.b": "somebody else reads it now"})
    assert list(make_chain().quarantine.rows()) == []
    shelf.trouble("b", None)
    shelf.offers.clear()
    shelf.put("a")  # the cursor has passed the others
    assert ingest(make_chain(), shelf).new == ("shelf.b",)
    assert shelf.fetched().count("b") == 2
    assert ingest(make_chain(), shelf).new == ()


def test_rejected_offer_that_is_forgotten_is_fetched_even_if_it_is_not_offered_again(
    shelf: Shelf, make_chain: MakeChain
) -> None:
    shelf.trouble("b", "bad")
    ingest(make_chain(), shelf)
    shelf.offers.clear()
    shelf.put("a")
    assert set(ingest(make_chain(), shelf).refused) == {"shelf.b"}
    shelf.trouble("b", None)
    (row,) = make_chain().quarantine.rows()
    make_chain().quarantine.remove(row.identity)
    assert ingest(make_chain(), shelf).new == ("shelf.b",)
    assert ingest(make_chain(), shelf).new == ()


def test_disk_that_is_full_while_the_source_is_asked_stops_too(shelf: Shelf, make_chain: MakeChain) -> None:
    class Full(FolderSource):
        def plan(self, held, work):
            yield Offer("shelf.a", "shelf://a", "1")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(ResourceError, match=r"toy: .*No space left on device; mend it and run again"):
        SourceIngest(make_chain(), PREFIX, Full(shelf.folder)).run()
    assert upload(make_chain, "a").state == PRESENT


def test_bug_in_a_plan_is_raised_after_what_it_gave(shelf: Shelf, make_chain: MakeChain) -> None:
    class Broken(FolderSource):
        def plan(self, held, work):
            yield Offer("shelf.a", "shelf://a", "1")
            raise KeyError("docs")

    with pytest.raises(KeyError, match="docs"):
        SourceIngest(make_chain(), PREFIX, Broken(shelf.folder)).run()
    assert upload(make_chain, "a").state == PRESENT


def test_plan_may_be_any_iterator(shelf: Shelf, make_chain: MakeChain) -> None:
    class Listed(FolderSource):
        def plan(self, held, work):
            return iter([Offer("shelf.a", "shelf://a", "1")])

    assert SourceIngest(make_chain(), PREFIX, Listed(shelf.folder)).run().new == ("shelf.a",)
    assert SourceIngest(make_chain(), PREFIX, Listed(shelf.folder)).preview().held == ("shelf.a",)


def test_source_that_breaks_off_keeps_what_was_offered(shelf: Shelf, make_chain: MakeChain) -> None:
    shelf.break_after(2)
    report = ingest(make_chain(), shelf)
    assert report.new == ("shelf.a", "shelf.b")
    assert report.incomplete == "the shelf does not answer; try later"
    shelf.break_after(None)
    assert ingest(make_chain(), shelf).new == ("shelf.c",)


def test_full_disk_stops_and_keeps_what_was_fetched(shelf: Shelf, make_chain: MakeChain) -> None:
    shelf.trouble("b", "full")
    chain = make_chain()
    with pytest.raises(ResourceError, match="No space left on device"):
        SourceIngest(chain, PREFIX, FolderSource(shelf.folder, at_once=1)).run()
    assert upload(make_chain, "a").state == PRESENT
    assert list(chain.quarantine.rows()) == []
    shelf.trouble("b", None)
    report = ingest(make_chain(), shelf)
    assert (report.new, report.held) == (("shelf.b", "shelf.c"), ("shelf.a",))
    assert set(upload(make_chain, "a").facets) == {"a", "b"}, "it is read now"


@pytest.mark.parametrize(("word", "message"), [("link", "must not write links"), ("nothing", "wrote no file")])
def test_source_that_breaks_its_contract_is_a_bug_that_stops(
    shelf: Shelf, make_chain: MakeChain, word: str, message: str
) -> None:
    shelf.trouble("b", word)
    with pytest.raises(ContractError, match=message):
        ingest(make_chain(), shelf)


def test_offers_must_bear_the_name_of_their_source(shelf: Shelf, make_chain: MakeChain) -> None:
    shelf.offers["other.x"] = {"path": "other.x", "origin": "", "version": "1"}
    shelf.put("a")
    with pytest.raises(ContractError, match=r"source 'shelf': offers must begin with its name, got 'other.x'"):
        ingest(make_chain(), shelf)
