import itertools
import pickle
import threading
import time

import pytest

from bgb_assets.runtime.errors import BadInput, SourceError
from bgb_assets.runtime.web_client import Manners, Passing, WebClient, retry_after_s
from bgb_assets_tests.runtime.web_server import Reply, Ticks, WebServer, html, in_http, status


@pytest.fixture
def server():
    with WebServer() as running:
        running.files["/a"] = b"content"
        yield running


def body(response):
    return response.read()


def client(ticks, **manners):
    return WebClient("project/1.2", Manners(**manners), ticks.clock())


def test_the_answer_is_read_and_the_server_told_who_asks(server):
    asking = client(Ticks())
    assert asking.ask(f"{server.url}/a", body, headers=lambda: {"X-More": "1"}) == b"content"
    headers = server.asked[0].headers
    assert headers["user-agent"] == "project/1.2"
    assert headers["accept-encoding"] == "identity"
    assert headers["x-more"] == "1"


def test_bytes_of_bodies_are_counted(server):
    asking = client(Ticks())
    assert asking.received_bytes == 0
    asking.ask(f"{server.url}/a", lambda response: b"".join(asking.chunks(response)))
    assert asking.received_bytes == 7


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
def test_what_passes_is_retried_with_doubling_waits(server, code):
    server.faults["/a"].extend([status(code)] * 6)
    ticks = Ticks()
    assert client(ticks).ask(f"{server.url}/a", body) == b"content"
    assert ticks.slept == [2, 4, 8, 16, 32, 60]


def test_waits_are_shortened_by_chance_to_half_at_most(server):
    server.faults["/a"].extend([status(503)] * 2)
    ticks = Ticks()
    WebClient("p", Manners(), ticks.clock(chance=0.0)).ask(f"{server.url}/a", body)
    assert ticks.slept == [1, 2]


def test_seven_failures_are_too_many(server):
    server.faults["/a"].extend([status(503)] * 7)
    with pytest.raises(SourceError, match=r"/a: status 503 at 7 tries; ask again later"):
        client(Ticks()).ask(f"{server.url}/a", body)
    assert len(server.asked) == 7


def test_retry_after_counts_where_it_is_longer(server):
    ticks = Ticks()
    date = in_http(ticks.now_s + 100)
    server.faults["/a"].extend(
        [status(429, Retry_After="7"), status(429, Retry_After="1"), status(503, Retry_After=date)]
    )
    client(ticks).ask(f"{server.url}/a", body)
    assert ticks.slept == [7, 4, pytest.approx(100 - 11, abs=1)]


def test_a_server_that_wants_to_be_left_alone_is(server):
    server.faults["/a"].append(status(429, Retry_After="86400"))
    with pytest.raises(SourceError, match="status 429, to be asked again in 86400 s"):
        client(Ticks()).ask(f"{server.url}/a", body)


@pytest.mark.parametrize(
    ("value", "expected_s"),
    [(None, 0), ("12", 12), (" 3 ", 3), ("soon", 0), ("-5", 0), (in_http(50.0), 40), (in_http(1.0), 0)],
)
def test_retry_after_is_seconds_or_a_date(value, expected_s):
    assert retry_after_s(value, 10.0) == expected_s


@pytest.mark.parametrize("code", [404, 410])
def test_gone_is_final(server, code):
    server.faults["/a"].append(status(code))
    with pytest.raises(BadInput, match=f"/a: status {code}; it is gone from the server"):
        client(Ticks()).ask(f"{server.url}/a", body)
    assert len(server.asked) == 1


def test_a_refusal_is_not_retried_and_not_final(server):
    server.faults["/a"].append(status(403))
    with pytest.raises(SourceError, match="/a: status 403"):
        client(Ticks()).ask(f"{server.url}/a", body)
    assert len(server.asked) == 1


def test_redirects_are_followed_but_not_for_ever(server):
    server.files["/b"] = b""
    server.faults["/b"].append(status(302, Location="/a"))
    assert client(Ticks()).ask(f"{server.url}/b", body) == b"content"
    server.faults["/b"].extend([status(302, Location="/b")] * 20)
    with pytest.raises(BadInput, match="/b: redirects without end"):
        client(Ticks()).ask(f"{server.url}/b", body)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://a\tb/"])
def test_other_addresses_are_refused(url):
    with pytest.raises(BadInput, match="is no address that can be asked"):
        client(Ticks()).ask(url, body)


def test_a_server_that_is_not_there_is_asked_again(server):
    ticks = Ticks()
    with WebServer() as gone:
        url = gone.url
    with pytest.raises(SourceError, match=r"ConnectError .* at 3 tries"):
        client(ticks, retries=2).ask(url, body)
    assert ticks.slept == [2, 4]


def test_silence_is_a_time_out_and_retried(server):
    server.faults["/a"].append(lambda content, etag: Reply(200, content, pause_s=0.5))
    ticks = Ticks()
    assert client(ticks, read_s=0.1).ask(f"{server.url}/a", body) == b"content"
    assert ticks.slept == [2]


def test_whoever_reads_may_have_it_asked_again(server):
    server.faults["/a"].append(html)

    def strict(response):
        if b"<html" in (answer := response.read()):
            raise Passing("a page")
        return answer

    ticks = Ticks()
    assert client(ticks).ask(f"{server.url}/a", strict) == b"content"
    assert ticks.slept == [2]


def test_other_errors_of_whoever_reads_pass_through_at_once(server):
    def full(response):
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        client(Ticks()).ask(f"{server.url}/a", full)
    assert len(server.asked) == 1


def test_requests_of_all_threads_keep_their_distance(server):
    ticks = Ticks()
    asking = client(ticks, at_once=1, pause_s=1.0)
    server.now = ticks.read
    server.faults["/a"].extend([status(503), status(302, Location="/a")])
    threads = [threading.Thread(target=asking.ask, args=(f"{server.url}/a", body)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times = [asked.at_s for asked in server.asked]
    assert len(times) == 8
    assert all(later - earlier >= 1.0 for earlier, later in itertools.pairwise(times))


def test_no_more_than_allowed_at_once(server):
    busy, most, lock = 0, 0, threading.Lock()

    def counted(response):
        nonlocal busy, most
        with lock:
            busy += 1
            most = max(most, busy)
        time.sleep(0.02)
        with lock:
            busy -= 1

    asking = client(Ticks(), at_once=3)
    threads = [threading.Thread(target=asking.ask, args=(f"{server.url}/a", counted)) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 3


def test_a_client_travels_without_its_connections(server):
    asking = WebClient("project/1.2", Manners(retries=1))
    asking.ask(f"{server.url}/a", body)
    again = pickle.loads(pickle.dumps(asking))
    assert again.manners == asking.manners
    assert again.ask(f"{server.url}/a", body) == b"content"
