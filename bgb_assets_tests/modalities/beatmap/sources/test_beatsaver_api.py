from datetime import UTC, datetime, timedelta

import pytest

from bgb_assets.modalities.beatmap.sources.beatsaver_api import Api, instant_of, instant_text
from bgb_assets.modalities.beatmap.sources.beatsaver_map import Filters
from bgb_assets.runtime.errors import SourceError
from bgb_assets.runtime.web_client import Manners, WebClient
from bgb_assets_tests.modalities.beatmap.beatsaver_server import START, BeatSaverServer
from bgb_assets_tests.runtime.web_server import Ticks, whole


@pytest.fixture
def server():
    with BeatSaverServer() as running:
        for index in range(5):
            running.publish(index)
        yield running


@pytest.fixture
def api(server):
    return Api(server.url, WebClient("p", Manners(at_once=1), Ticks().clock()))


def ids(documents):
    return sorted(document["id"] for document in documents)


def test_the_newest_and_those_before_and_after(api, server):
    middle = START + timedelta(minutes=2)
    assert ids(api.latest(Filters())) == [f"100{number}" for number in range(5)]
    assert ids(api.latest(Filters(), before=middle)) == ["1000", "1001"]
    assert ids(api.latest(Filters(), after=middle)) == ["1003", "1004"]
    assert "before=2024-01-01T00%3A02%3A00.000000Z" in server.asked[1].path
    assert all("sort=LAST_PUBLISHED&pageSize=100" in asked.path for asked in server.asked)


def test_maps_by_programs_are_asked_for_only_when_wanted(api, server):
    server.publish(9, declaredAi="Full")
    assert "1009" not in ids(api.latest(Filters()))
    assert "1009" in ids(api.latest(Filters(ai=True)))
    assert "1009" in ids(api.latest(Filters(automapper=True)))


def test_deletions(api, server):
    server.delete("1001", START)
    server.delete("1002", START + timedelta(days=1))
    assert ids(api.deleted(page_size=1)) == ["1002"]
    assert ids(api.deleted(after=START)) == ["1002"]


def test_the_filters_that_the_server_knows_are_sent(api, server):
    filters = Filters(min_score=0.9, min_duration_s=60.0, tags="tech,!pop", ai=True)
    documents, pages = api.best_rated(filters, 0)
    assert pages == (1 if documents else 0)
    for part in ("sortOrder=Rating", "minRating=0.9", "minDuration=60", "tags=tech%2C%21pop", "automapper=true"):
        assert part in server.asked[0].path


def test_documents_by_number_leave_out_what_is_not_there(api):
    assert list(api.by_ids(["1003", "ffff"])) == ["1003"]


def test_a_search_without_its_number_of_pages_is_no_page(api, server):
    server.api_faults = [lambda content, etag: whole(b'{"docs": []}', etag)]
    with pytest.raises(SourceError, match=r"/search/text/0: info\.pages must be a number, got None"):
        api.best_rated(Filters(), 0)


@pytest.mark.parametrize(
    ("text", "microsecond"),
    [("2024-05-06T07:08:09Z", 0), ("2024-05-06T07:08:09.123Z", 123000), ("2024-05-06T07:08:09.123456789Z", 123456)],
)
def test_instants_are_read_to_the_microsecond(text, microsecond):
    instant = datetime(2024, 5, 6, 7, 8, 9, microsecond, tzinfo=UTC)
    assert instant_of({"t": text}, "t") == instant
    assert datetime.fromisoformat(instant_text(instant)) == instant


def test_an_instant_without_a_zone_is_in_utc():
    assert instant_of({"t": "2024-05-06T07:08:09"}, "t") == datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)


@pytest.mark.parametrize("value", [None, 7, "soon", ""])
def test_what_is_no_instant_is_none(value):
    assert instant_of({"t": value}, "t") is None
