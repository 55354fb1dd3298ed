"""The whole source against a server on this machine: all maps, whatever fails, and nothing twice."""

import itertools
import json
import logging
import os
import pickle
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bgb_assets.modalities.beatmap.sources.beatsaver import BeatSaver, source
from bgb_assets.modalities.beatmap.sources.beatsaver_map import Filters
from bgb_assets.modalities.sources import Offer
from bgb_assets.runtime.errors import BadInput, SourceError, UsageError
from bgb_assets.runtime.web_client import WebClient
from bgb_assets_tests.modalities.beatmap.beatsaver_ingest import HELD, REJECTED, content_of, held_in, ingest, quick
from bgb_assets_tests.modalities.beatmap.beatsaver_server import START, BeatSaverServer
from bgb_assets_tests.runtime.web_server import (
    Ticks,
    corrupt,
    cut,
    html,
    long_length,
    other_etag,
    short_length,
    slow,
    status,
    whole,
)

MAPS = 250
UNWANTED = {
    20: {"automapper": True},
    40: {"declaredAi": "Full"},
    60: {"nsfw": True},
    80: {"stats": {"upvotes": 100, "downvotes": 90, "score": 0.52}},
    90: {"stats": {"upvotes": 3, "downvotes": 0, "score": 0.8}},
}
TIES = range(146, 153)
"""Maps published at one instant, across the border of the first page."""


@pytest.fixture
def server():
    with BeatSaverServer() as running:
        yield running


@pytest.fixture
def crowded(server):
    """A server with 250 maps."""
    for index in range(MAPS):
        at = START + timedelta(minutes=150 if index in TIES else index)
        server.publish(index, at, **UNWANTED.get(index, {}))
    server.delete(server.publish(900), START - timedelta(days=1))
    return server


def patient(server, **options):
    """Return the source with time that passes when it waits, one time for questions and one for downloads."""
    ticks = Ticks()
    chosen = source("", {"base_url": server.url, **options})
    server.now = ticks.read
    return replace(
        chosen,
        api_client=WebClient(chosen.api_client.user_agent, chosen.api_client.manners, ticks.clock()),
        file_client=WebClient(chosen.file_client.user_agent, chosen.file_client.manners, Ticks().clock()),
    )


def trouble(server):
    """Let the API and the file server fail in every way that passes."""
    server.api_faults = [None, status(429, Retry_After="5"), None, *[status(503)] * 4, None, status(500)]
    paths = [server.zip_path(number) for number in sorted(server.documents)]
    faults = {
        3: [cut(0.4)],
        8: [cut(0.4), whole],
        30: [other_etag(0.4)],
        35: [short_length],
        50: [corrupt],
        70: [slow(0.2)],
        75: [status(429, Retry_After="2"), status(503), status(503), cut(0.4), status(502)],
        100: [long_length],
        110: [cut(0.0), cut(0.4), cut(0.1)],
        120: [html],
        130: [status(504), status(500)],
    }
    for index, kinds in faults.items():
        server.faults[paths[index]].extend(kinds)


def size_of_wanted(server):
    unwanted = {f"{0x1000 + index:x}" for index in UNWANTED}
    return sum(len(server.files[server.zip_path(number)]) for number in set(server.documents) - unwanted)


def pauses_s(server):
    return [later.at_s - earlier.at_s for earlier, later in itertools.pairwise(server.api_asked())]


def test_whatever_fails_the_folder_is_that_of_a_run_without_faults(crowded, tmp_path):
    calm = ingest(patient(crowded), tmp_path / "calm")
    assert set(calm.values()) == {"new"}
    assert len(calm) == MAPS - len(UNWANTED)
    assert crowded.sent_bytes > size_of_wanted(crowded), "pages are counted too"

    crowded.asked.clear()
    trouble(crowded)
    asking = patient(crowded)
    assert ingest(asking, tmp_path / "rough") == calm
    assert content_of(tmp_path / "rough") == content_of(tmp_path / "calm")
    assert asking.file_client.received_bytes <= 1.2 * size_of_wanted(crowded)
    assert not any(crowded.faults.values()), "every fault was met"
    assert not crowded.api_faults
    assert min(pauses_s(crowded)) >= 1.0
    assert [path.name for path in (tmp_path / "rough" / "work").iterdir() if path.is_file()] == ["ledger.sqlite"]
    assert list((tmp_path / "rough" / "work" / "parts").iterdir()) == []


def test_each_zip_is_the_servers_and_carries_what_was_said(crowded, tmp_path):
    ingest(patient(crowded), tmp_path)
    number = f"{0x1000 + 25:x}"
    folder = tmp_path / HELD / f"beatsaver.{number}.zip"
    document = crowded.documents[number]
    said = json.loads((folder / "offer.json").read_bytes())
    content_hash = document["versions"][0]["hash"]
    assert (folder / f"{content_hash}.zip").read_bytes() == crowded.files[crowded.zip_path(number)]
    assert said["version"] == content_hash
    assert said["document"] == document
    assert said["facts"] == {
        "source_id": number,
        "uploaded_at": document["uploaded"],
        "automapper": False,
        "declaredAi": "None",
        "tags": ["tech"],
    }
    assert said["popularity"] == {
        "score": document["stats"]["score"],
        "upvotes": document["stats"]["upvotes"],
        "downvotes": document["stats"]["downvotes"],
        "ranked": False,
        "curated": True,
    }


def test_a_second_look_asks_little_and_fetches_what_is_new(crowded, tmp_path):
    ingest(patient(crowded), tmp_path)
    crowded.asked.clear()
    assert set(ingest(patient(crowded), tmp_path).values()) <= {"held"}
    assert not [asked for asked in crowded.asked if asked.path.startswith("/cdn/")]

    late = crowded.publish(300)
    changed = crowded.publish(7, START + timedelta(minutes=301), content=310)
    crowded.delete("1005", START + timedelta(minutes=302))
    outcomes = ingest(patient(crowded), tmp_path)
    assert {path: what for path, what in outcomes.items() if what != "held"} == {
        f"beatsaver.{late}.zip": "new",
        f"beatsaver.{changed}.zip": "new",
        "beatsaver.1005.zip": "gone",
    }
    assert ingest(patient(crowded, full="true"), tmp_path / "afresh") is not None
    assert content_of(tmp_path) == content_of(tmp_path / "afresh")


def test_a_map_that_is_restored_comes_back(server, tmp_path):
    server.publish(1)
    ingest(patient(server), tmp_path)
    server.delete("1001", START + timedelta(hours=1))
    assert ingest(patient(server), tmp_path) == {"beatsaver.1001.zip": "gone"}
    assert ingest(patient(server), tmp_path) == {}
    server.publish(1, START + timedelta(hours=2))
    assert ingest(patient(server), tmp_path) == {"beatsaver.1001.zip": "new"}
    assert ingest(patient(server), tmp_path) == {"beatsaver.1001.zip": "held"}


def test_deletions_are_heard_of_after_the_work_folder_was_lost(server, tmp_path):
    server.publish(1)
    server.publish(2)
    ingest(patient(server), tmp_path / "first")
    server.delete("1001", START + timedelta(hours=1))
    outcomes = ingest(patient(server), tmp_path / "first", work=tmp_path / "new work")
    assert outcomes == {"beatsaver.1001.zip": "gone", "beatsaver.1002.zip": "held"}


def test_a_changed_score_is_told_without_a_download(server, tmp_path):
    server.publish(1)
    ingest(patient(server), tmp_path)
    server.documents["1001"]["stats"] = {"upvotes": 500, "downvotes": 1, "score": 0.97}
    server.asked.clear()
    assert ingest(patient(server), tmp_path) == {"beatsaver.1001.zip": "held"}
    said = json.loads((tmp_path / HELD / "beatsaver.1001.zip" / "offer.json").read_bytes())
    assert said["popularity"]["upvotes"] == 500
    assert len(server.asked) == len(server.api_asked())


def test_a_young_map_is_judged_again_when_it_has_votes(server, tmp_path):
    server.publish(1, stats={"upvotes": 0, "downvotes": 0, "score": 0.5})
    server.publish(60 * 24 * 20)
    assert set(ingest(patient(server), tmp_path)) == {f"beatsaver.{0x1000 + 60 * 24 * 20:x}.zip"}
    server.documents["1001"]["stats"] = {"upvotes": 50, "downvotes": 1, "score": 0.9}
    assert "beatsaver.1001.zip" not in ingest(patient(server, revisit_days="7"), tmp_path)
    assert ingest(patient(server), tmp_path)["beatsaver.1001.zip"] == "new"


def test_other_filters_are_another_crawl(crowded, tmp_path):
    ingest(patient(crowded), tmp_path)
    outcomes = ingest(patient(crowded, min_score="0.5", min_upvotes="0"), tmp_path)
    new = sorted(path for path, what in outcomes.items() if what == "new")
    assert new == ["beatsaver.1050.zip", "beatsaver.105a.zip"]


def test_null_scores_stay_null(server, tmp_path):
    server.publish(1, stats={"upvotes": None, "downvotes": None, "score": None})
    assert ingest(patient(server), tmp_path) == {}
    assert ingest(patient(server, min_score="0", min_upvotes="0"), tmp_path) == {"beatsaver.1001.zip": "new"}
    said = json.loads((tmp_path / HELD / "beatsaver.1001.zip" / "offer.json").read_bytes())
    assert said["popularity"]["score"] is None
    assert said["popularity"]["upvotes"] is None


def test_the_bound_takes_the_newest_and_counts_over_all_looks(crowded, tmp_path):
    assert sorted(ingest(patient(crowded, max_maps="3"), tmp_path)) == [
        f"beatsaver.{n}.zip" for n in ("10f7", "10f8", "10f9")
    ]
    assert ingest(patient(crowded, max_maps="3"), tmp_path) == {}
    more = ingest(patient(crowded, max_maps="5"), tmp_path)
    assert sorted(path for path, what in more.items() if what == "new") == ["beatsaver.10f5.zip", "beatsaver.10f6.zip"]


def test_scores_within_the_bound_are_asked_for_again_on_request(crowded, tmp_path):
    ingest(patient(crowded, max_maps="3"), tmp_path)
    crowded.documents["10f8"]["stats"]["upvotes"] = 777
    assert set(ingest(patient(crowded, max_maps="3", full="yes"), tmp_path).values()) == {"held"}
    said = json.loads((tmp_path / HELD / "beatsaver.10f8.zip" / "offer.json").read_bytes())
    assert said["popularity"]["upvotes"] == 777


def test_the_best_rated_come_first(crowded, tmp_path):
    chosen = patient(crowded, order="rating", max_maps="5")
    outcomes = ingest(chosen, tmp_path)
    listed = sorted(crowded.documents.values(), key=lambda each: (-each["stats"]["score"], each["id"]))
    assert sorted(outcomes) == sorted(f"beatsaver.{each['id']}.zip" for each in listed[:5])
    assert len(ingest(patient(crowded, order="rating"), tmp_path)) == MAPS - len(UNWANTED)
    assert all("minRating=0.75" in asked.path for asked in crowded.api_asked() if "/search/" in asked.path)


def test_maps_by_number_pass_no_filter(crowded, tmp_path, caplog):
    chosen = replace(patient(crowded), numbers=("1014", "10f0", "ffff"))
    assert ingest(chosen, tmp_path) == {"beatsaver.1014.zip": "new", "beatsaver.10f0.zip": "new"}
    assert "there is no map ffff" in caplog.text


BROKEN = {
    "no versions": ({"versions": []}, "no published version among 0"),
    "none published": ({"versions": [{"state": "Testplay"}]}, "states ['Testplay']"),
    "no address": ({"versions": [{"state": "Published", "hash": "a" * 40}]}, "no 'downloadURL'"),
    "a hash that climbs": (
        {"versions": [{"state": "Published", "hash": "../x", "downloadURL": "u"}]},
        "40 hexadecimal",
    ),
    "no stats": ({"stats": None}, "no 'stats'"),
    "a score in words": ({"stats": {"score": "good"}}, "'score' of the map's document is of the wrong kind"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_map_that_is_not_described_is_rejected_with_the_reason(server, tmp_path, name):
    changes, reason = BROKEN[name]
    server.publish(1, **changes)
    server.publish(2)
    assert ingest(patient(server), tmp_path) == {"beatsaver.1001.zip": "rejected", "beatsaver.1002.zip": "new"}
    assert reason in json.loads((tmp_path / REJECTED / "beatsaver.1001.zip.json").read_bytes())["reason"]


FINAL = {
    "gone": ([status(410)], "status 410"),
    "not found": ([status(404)], "status 404"),
    "a page each time": ([html] * 3, "began with b'<html>"),
    "damaged each time": ([corrupt] * 3, "3 times"),
    "round in circles": ([status(302, Location="/cdn/loop")] * 99, "redirects without end"),
}


@pytest.mark.parametrize("name", FINAL)
def test_a_zip_that_cannot_be_had_is_rejected_with_the_reason(server, tmp_path, name):
    faults, reason = FINAL[name]
    number = server.publish(1)
    server.files["/cdn/loop"] = b""
    server.faults["/cdn/loop"].extend([status(302, Location="/cdn/loop")] * 99)
    server.faults[server.zip_path(number)].extend(faults)
    assert ingest(patient(server), tmp_path) == {"beatsaver.1001.zip": "rejected"}
    assert reason in json.loads((tmp_path / REJECTED / "beatsaver.1001.zip.json").read_bytes())["reason"]


def test_what_could_not_be_had_now_is_offered_again_and_gone_on_with(server, tmp_path):
    number = server.publish(1)
    server.publish(2)
    size_bytes = len(server.files[server.zip_path(number)])
    server.faults[server.zip_path(number)].extend([cut(0.4), *[status(503)] * 6])
    assert ingest(patient(server), tmp_path)["beatsaver.1001.zip"] == "not now"
    again = patient(server, revisit_days="0")
    assert ingest(again, tmp_path)["beatsaver.1001.zip"] == "new"
    assert again.file_client.received_bytes == size_bytes - int(size_bytes * 0.4)


def test_a_plan_that_is_left_early_loses_no_map(crowded, tmp_path):
    for taken in (1, 130):
        offers = patient(crowded).plan({}, tmp_path / "work")
        assert len(list(itertools.islice(offers, taken))) == taken
        offers.close()
    assert len(ingest(patient(crowded), tmp_path)) == MAPS - len(UNWANTED)


def test_a_crawl_that_was_cut_off_goes_on_where_it_was(crowded, tmp_path):
    offers = patient(crowded).plan({}, tmp_path / "work")
    list(itertools.islice(offers, 130))
    offers.close()
    crowded.asked.clear()
    ingest(patient(crowded), tmp_path)
    pages = [asked.path for asked in crowded.api_asked() if asked.path.startswith("/maps/latest")]
    assert all("before=" in page or "after=" in page for page in pages), "the newest page is not read again"


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (html, "expected JSON, got 'text/html'"),
        (status(404), "see whether --base-url is right"),
        (status(403), "status 403"),
        (lambda content, etag: whole(b'{"docs": 7}', etag), "docs must be a list"),
        (lambda content, etag: whole(b"[1]", etag), "expected a JSON object"),
    ],
)
def test_a_page_that_is_none_stops_the_look_and_keeps_what_was_done(crowded, tmp_path, fault, reason):
    crowded.api_faults = [None, None, fault]
    with pytest.raises(SourceError, match=reason):
        ingest(patient(crowded), tmp_path)
    assert len(held_in(tmp_path)) <= 100
    ingest(patient(crowded), tmp_path)
    assert len(held_in(tmp_path)) == MAPS - len(UNWANTED)


def test_other_files_than_the_hash_says_are_a_warning(server, tmp_path, caplog):
    server.publish(1)
    version = server.documents["1001"]["versions"][0]
    right = version["hash"]
    version["hash"] = "f" * 40
    with caplog.at_level(logging.WARNING):
        assert ingest(patient(server), tmp_path) == {"beatsaver.1001.zip": "new"}
    assert f"beatsaver.1001.zip: the files' hash is {right}, the API says {'f' * 40}" in caplog.text


def test_right_files_are_no_warning(server, tmp_path, caplog):
    server.publish(1)
    ingest(patient(server), tmp_path)
    assert not caplog.records


def test_a_full_disk_stops_the_run(server, tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system")
    server.publish(1)
    parts = tmp_path / "work" / "parts"
    parts.mkdir(parents=True)
    (parts / f"{server.documents['1001']['versions'][0]['hash']}.zip.part").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        ingest(patient(server), tmp_path)


def test_forgotten_parts_are_swept(server, tmp_path):
    parts = tmp_path / "work" / "parts"
    parts.mkdir(parents=True)
    for name, age_days in (("old.zip.part", 31), ("young.zip.part", 29)):
        (parts / name).write_bytes(b"x")
        then = time.time() - age_days * 86400
        os.utime(parts / name, (then, then))
    ingest(patient(server), tmp_path)
    assert [path.name for path in parts.iterdir()] == ["young.zip.part"]


def killed_then_done(server, folder, requests):
    """Start an ingest for each number of requests and kill it when it has sent so many, then let one end.

    Returns how many maps were held at each kill.
    """
    command = [sys.executable, "-m", "bgb_assets_tests.modalities.beatmap.beatsaver_ingest", server.url, str(folder)]
    held = []
    for number in requests:
        goal = len(server.asked) + number
        running = subprocess.Popen(command)
        while len(server.asked) < goal:
            assert running.poll() is None, "it ended before it could be killed"
            time.sleep(0.001)
        running.send_signal(signal.SIGKILL)
        assert running.wait() == -signal.SIGKILL
        held.append(len(held_in(folder)))
    assert subprocess.run(command, check=False, timeout=120).returncode == 0
    return held


@pytest.mark.parametrize("kills", [2, pytest.param(10, marks=pytest.mark.slow)])
def test_killed_at_random_moments_the_folder_ends_the_same(crowded, tmp_path, kills):
    ingest(quick(crowded.url), tmp_path / "calm")
    trouble(crowded)
    draw = random.Random(kills)
    held = killed_then_done(crowded, tmp_path / "killed", [draw.randint(1, 240 // kills) for _ in range(kills)])
    assert 0 < held[-1] < MAPS - len(UNWANTED), "the last kill came in the middle"
    assert held == sorted(held), "what was done stays done"
    assert content_of(tmp_path / "killed") == content_of(tmp_path / "calm")
    assert list((tmp_path / "killed" / "work" / "parts").iterdir()) == []


def test_the_source_travels_and_says_how_it_is_driven():
    chosen = source("", {"max_maps": "7", "characteristics": "standard,one saber"})
    assert pickle.loads(pickle.dumps(chosen)) == chosen
    assert (chosen.at_once, chosen.processes) == (8, False)
    assert chosen.filters == Filters(characteristics=("OneSaber", "Standard"))
    assert chosen.api_client.user_agent.startswith("bgb_assets/0")
    assert (chosen.api_client.manners.at_once, chosen.api_client.manners.pause_s) == (1, 1.0)
    assert chosen.file_client.manners.at_once == 8


def test_the_defaults_are_those_that_the_readme_names():
    assert source("", {}) == BeatSaver(base_url="https://api.beatsaver.com", filters=Filters(0.75, 5))
    assert source("1A2B, 4c,", {}).numbers == ("1a2b", "4c")


@pytest.mark.parametrize(
    ("rest", "options", "reason"),
    [
        ("", {"colour": "red"}, "unknown options"),
        ("../x", {}, "map numbers are hexadecimal"),
        ("", {"max_maps": "many"}, "--max-maps expects a whole number, got 'many'"),
        ("", {"max_maps": "-1"}, "not negative"),
        ("", {"revisit_days": "nan"}, "--revisit-days expects a number from 0 to 100000, got 'nan'"),
        ("", {"revisit_days": "inf"}, "--revisit-days expects a number"),
        ("", {"min_upvotes": "2.5"}, "--min-upvotes expects a whole number"),
        ("", {"min_score": "75"}, "--min-score is from 0 to 1"),
        ("", {"nsfw": "perhaps"}, "--nsfw expects true or false"),
        ("", {"order": "random"}, "--order is one of latest, rating"),
        ("", {"base_url": "beatsaver.com"}, "--base-url begins with"),
    ],
)
def test_wrong_options_are_named(rest, options, reason):
    with pytest.raises(UsageError, match=reason):
        source(rest, options)


def test_an_offer_without_a_document_is_refused(tmp_path):
    with pytest.raises(BadInput, match="no 'stats'"):
        source("", {}).fetch(Offer("beatsaver.1.zip", "", "v"), tmp_path, tmp_path)
