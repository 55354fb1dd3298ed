import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bgb_assets.runtime import download as module
from bgb_assets.runtime.download import deliver, discard, download
from bgb_assets.runtime.errors import BadInput, SourceError
from bgb_assets.runtime.web_client import Manners, WebClient
from bgb_assets_tests.runtime.web_server import (
    Reply,
    Ticks,
    WebServer,
    corrupt,
    cut,
    long_length,
    other_etag,
    short_length,
    slow,
    status,
    whole,
)

CONTENT = bytes(range(256)) * 400


@pytest.fixture
def server():
    with WebServer() as running:
        running.files["/f"] = CONTENT
        yield running


def client(**manners):
    return WebClient("project/1", Manners(**manners), Ticks().clock())


def fetched(server, tmp_path, asking=None):
    part = tmp_path / "deep" / "f.zip.part"
    download(asking or client(), f"{server.url}/f", part)
    return part.read_bytes()


def test_a_file_comes_whole(server, tmp_path):
    assert fetched(server, tmp_path) == CONTENT
    assert "range" not in server.asked[0].headers


def test_a_cut_connection_is_gone_on_with(server, tmp_path):
    server.faults["/f"].append(cut(0.4))
    assert fetched(server, tmp_path) == CONTENT
    assert server.asked[1].headers["range"] == f"bytes={len(CONTENT) * 4 // 10}-"
    assert server.sent_bytes == len(CONTENT)


def test_so_is_a_download_of_a_process_that_is_gone(server, tmp_path):
    server.faults["/f"].append(cut(0.4))
    with pytest.raises(SourceError, match="at 1 tries"):
        fetched(server, tmp_path, client(retries=0))
    assert fetched(server, tmp_path) == CONTENT
    assert server.sent_bytes == len(CONTENT)


def test_a_whole_answer_to_a_range_starts_again(server, tmp_path):
    server.faults["/f"].extend([cut(0.4), whole])
    assert fetched(server, tmp_path) == CONTENT


def test_parts_of_different_versions_are_never_joined(server, tmp_path):
    server.faults["/f"].append(other_etag(0.4))
    assert fetched(server, tmp_path) == CONTENT
    assert server.asked[1].headers["if-range"] == '"older"'


def test_nor_is_a_partial_answer_of_another_version(server, tmp_path):
    def other_part(content, etag):
        return Reply(206, content[40960:], {"ETag": '"newer"', "Content-Range": f"bytes 40960-{len(content) - 1}/*"})

    server.faults["/f"].extend([cut(0.4), other_part])
    assert fetched(server, tmp_path) == CONTENT
    assert "range" not in server.asked[2].headers


def test_nor_one_that_begins_elsewhere(server, tmp_path):
    def elsewhere(content, etag):
        span = f"bytes 100-{len(content) - 1}/{len(content)}"
        return Reply(206, content[100:], {"ETag": etag, "Content-Range": span})

    server.faults["/f"].extend([cut(0.4), elsewhere])
    assert fetched(server, tmp_path) == CONTENT


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_without_a_strong_etag_nothing_is_gone_on_with(server, tmp_path, etag):
    headers = {"ETag": etag} if etag else {}
    server.faults["/f"].append(lambda content, _: Reply(200, content[::-1], headers, cut=1000))
    assert fetched(server, tmp_path) == CONTENT
    assert "range" not in server.asked[1].headers


def test_nothing_left_to_send_is_believed_where_the_length_fits(server, tmp_path):
    fetched(server, tmp_path)
    assert fetched(server, tmp_path) == CONTENT
    assert server.sent_bytes == len(CONTENT)


def test_nothing_left_to_send_starts_again_where_it_does_not(server, tmp_path):
    fetched(server, tmp_path)
    with (tmp_path / "deep" / "f.zip.part").open("ab") as file:
        file.write(b"too much")
    assert fetched(server, tmp_path) == CONTENT


def test_a_length_that_is_too_long_is_not_believed_for_ever(server, tmp_path):
    server.faults["/f"].append(long_length)
    assert fetched(server, tmp_path) == CONTENT
    server.faults["/f"].extend([long_length] * 9)
    discard(tmp_path / "deep" / "f.zip.part")
    with pytest.raises(SourceError, match="at 3 tries"):
        fetched(server, tmp_path, client(retries=2))


def test_what_a_length_that_is_too_short_cuts_off_is_not_seen_here(server, tmp_path):
    # Whole by all the server says: who asked for it finds the content damaged and discards it.
    server.faults["/f"].append(short_length)
    assert fetched(server, tmp_path) == CONTENT[: len(CONTENT) // 2]


def test_a_slow_body_is_waited_for(server, tmp_path):
    server.faults["/f"].append(slow(0.3))
    assert fetched(server, tmp_path) == CONTENT
    assert len(server.asked) == 1


def test_a_body_that_stops_is_gone_on_with(server, tmp_path):
    server.faults["/f"].append(slow(0.6))
    assert fetched(server, tmp_path, client(read_s=0.1)) == CONTENT
    assert server.asked[1].headers["range"] == f"bytes={len(CONTENT) // 2}-"


def test_bursts_of_refusals_cost_no_bytes(server, tmp_path):
    server.faults["/f"].extend([status(503), cut(0.5), status(429, Retry_After="3"), status(503)])
    asking = client()
    assert fetched(server, tmp_path, asking) == CONTENT
    assert asking.received_bytes == len(CONTENT)


def test_gone_is_final(server, tmp_path):
    with pytest.raises(BadInput, match="status 404"):
        download(client(), f"{server.url}/other", tmp_path / "x.part")


def test_another_success_is_no_file(server, tmp_path):
    server.faults["/f"].append(lambda content, etag: Reply(204))
    with pytest.raises(SourceError, match="status 204, expected the file"):
        fetched(server, tmp_path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_is_said_at_once(server, tmp_path):
    full = tmp_path / "f.part"
    full.symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        download(client(), f"{server.url}/f", full)
    assert len(server.asked) == 1


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.sampled_from([cut(0.0), cut(0.4), cut(0.99), whole, other_etag(0.5), status(503), long_length]), max_size=6
    )
)
def test_whatever_fails_the_bytes_are_those_of_the_file(server, tmp_path, faults):
    server.faults["/f"].clear()
    server.faults["/f"].extend(faults)
    discard(tmp_path / "deep" / "f.zip.part")
    assert fetched(server, tmp_path) == CONTENT


def test_delivery_gives_the_name_and_leaves_nothing(server, tmp_path):
    fetched(server, tmp_path)
    target = tmp_path / "f.zip"
    deliver(tmp_path / "deep" / "f.zip.part", target)
    assert target.read_bytes() == CONTENT
    assert list((tmp_path / "deep").iterdir()) == []


def test_delivery_to_another_disk_copies(server, tmp_path):
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("no second disk on this system")
    fetched(server, tmp_path)
    target = other / f"bgb-download-{os.getpid()}.zip"
    try:
        deliver(tmp_path / "deep" / "f.zip.part", target)
        assert target.read_bytes() == CONTENT
        assert list((tmp_path / "deep").iterdir()) == []
    finally:
        target.unlink(missing_ok=True)


def test_the_etag_is_noted_after_the_old_bytes_are_gone(server, tmp_path, monkeypatch):
    server.faults["/f"].append(other_etag(0.4))
    part = tmp_path / "f.part"
    with pytest.raises(SourceError):
        download(client(retries=0), f"{server.url}/f", part)

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(module.Path, "write_text", killed)
    with pytest.raises(KeyboardInterrupt):
        download(client(), f"{server.url}/f", part)
    monkeypatch.undo()
    assert part.read_bytes() == b""
    download(client(), f"{server.url}/f", part)
    assert part.read_bytes() == CONTENT


def test_a_damaged_download_can_be_discarded(server, tmp_path):
    server.faults["/f"].append(corrupt)
    assert fetched(server, tmp_path) != CONTENT
    discard(tmp_path / "deep" / "f.zip.part")
    assert fetched(server, tmp_path) == CONTENT
