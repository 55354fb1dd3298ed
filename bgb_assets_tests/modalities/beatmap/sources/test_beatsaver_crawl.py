from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgb_assets.modalities.beatmap.sources import beatsaver_crawl
from bgb_assets.modalities.beatmap.sources.beatsaver_api import EPOCH, instant_text
from bgb_assets.modalities.beatmap.sources.beatsaver_crawl import batches, walk
from bgb_assets.runtime.errors import SourceError

START = datetime(2024, 1, 1, tzinfo=UTC)
PAGE = 4


def at(seconds):
    return START + timedelta(seconds=seconds)


def listing(seconds):
    return [{"id": f"{index:x}", "t": instant_text(at(second))} for index, second in enumerate(seconds)]


def asking(documents, upwards):
    """Return what a server gives that shows at most PAGE documents, next to an exclusive instant."""

    def ask(instant):
        rows = [(datetime.fromisoformat(document["t"]), document) for document in documents]
        if instant is not None:
            rows = [(when, row) for when, row in rows if (when > instant if upwards else when < instant)]
        rows.sort(key=lambda row: row[0], reverse=not upwards)
        return [row for _, row in rows[:PAGE]]

    return ask


def walked(documents, upwards, start=None):
    return [row["id"] for rows, _ in walk(asking(documents, upwards), start, "t", upwards=upwards) for row in rows]


@given(st.lists(st.integers(0, 30), max_size=40), st.booleans())
def test_no_map_is_skipped_or_repeated_unless_too_many_share_an_instant(seconds, upwards):
    crowded = [second for second in set(seconds) if seconds.count(second) >= PAGE]
    seconds = [second for second in seconds if second not in crowded]
    documents = listing(seconds)
    assert sorted(walked(documents, upwards)) == sorted(document["id"] for document in documents)


@given(st.lists(st.integers(0, 30), max_size=30), st.integers(0, 10))
def test_a_walk_that_goes_on_from_a_page_sees_the_rest(seconds, pages):
    seconds = [second for second in seconds if seconds.count(second) < PAGE]
    documents = listing(seconds)
    seen, position = set(), None
    for number, (rows, edge) in enumerate(walk(asking(documents, False), None, "t", upwards=False)):
        if number == pages:
            break
        seen |= {row["id"] for row in rows}
        position = edge
    seen |= set(walked(documents, False, position))
    assert seen == {document["id"] for document in documents}


def test_more_than_a_page_at_one_instant_is_left_behind_with_a_warning(monkeypatch, caplog):
    monkeypatch.setattr(beatsaver_crawl, "PAGE_SIZE", PAGE)
    documents = listing([9, *[5] * 6, 1])
    assert sorted(walked(documents, upwards=False)) == ["0", "1", "2", "3", "4", "7"]
    assert f"more than {PAGE} maps at {at(5)}" in caplog.text


def test_a_map_published_while_pages_are_read_shifts_nothing():
    documents = listing(range(12))
    seen = []
    for rows, _ in walk(asking(documents, False), None, "t", upwards=False):
        seen += [row["id"] for row in rows]
        documents.append({"id": f"late{len(documents)}", "t": instant_text(at(100 + len(documents)))})
    assert sorted(seen) == sorted(f"{index:x}" for index in range(12))


def test_a_page_without_instants_is_no_page():
    with pytest.raises(SourceError, match="no document of the page has an instant 't'"):
        list(walk(lambda instant: [{"id": "1"}], EPOCH, "t", upwards=True))


def test_one_map_without_an_instant_is_seen_with_its_page():
    documents = [*listing([3, 2]), {"id": "odd", "t": "yesterday"}]
    pages = [documents, [], []]
    assert [row["id"] for rows, _ in walk(lambda _: pages.pop(0), None, "t", upwards=False) for row in rows] == [
        "0",
        "1",
        "odd",
    ]


def test_numbers_are_asked_for_fifty_at_a_time():
    assert [len(batch) for batch in batches([str(number) for number in range(120)])] == [50, 50, 20]
    assert list(batches([])) == []
