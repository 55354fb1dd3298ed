"""One download that goes on where it stopped: after a broken connection, and after a kill.

The bytes grow in a `.part` file with the ETag of what they are a part of beside it; no other bytes are ever joined
to them. Belongs here: ranges, lengths, flushing. Does not belong here: retries (`web_client`), and whether the bytes
make sense, which who asked for them checks before the file gets its name.
"""

import errno
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import httpx

from bgb_assets.runtime.errors import SourceError
from bgb_assets.runtime.web_client import Passing, WebClient

PART_SUFFIX = ".part"
ETAG_SUFFIX = ".etag"

_RANGE = re.compile(r"^bytes (?:(\d+)-\d+|\*)/(\d+|\*)$")


def download(client: WebClient, url: str, part: Path) -> None:
    """Bring a `.part` file to the whole length of what is at an address, and flush it.

    What is there is gone on with by `Range` and `If-Range` where its ETag is known; an answer with the whole (200)
    starts again; one that there is nothing left to send (416) is believed if the length it names is the file's.

    Raises:
        BadInput: The address is gone, is none, or redirects without end.
        SourceError: It could not be had now; what came stays.
        OSError: The disk's fault, never hidden.
    """
    part.parent.mkdir(parents=True, exist_ok=True)
    client.ask(url, lambda response: _receive(client, response, part), headers=lambda: _resuming(part))
    _flush(part)


def discard(part: Path) -> None:
    """Remove a `.part` file and its ETag: the next download starts again."""
    _etag_file(part).unlink(missing_ok=True)
    part.unlink(missing_ok=True)


def deliver(part: Path, target: Path) -> None:
    """Give a complete and checked download its name, in one step where both are on one disk.

    Elsewhere it is copied and flushed: then `target` must be in a folder that counts only when it is committed.
    """
    try:
        part.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        shutil.copyfile(part, target)
        _flush(target)
    _flush(target.parent)
    discard(part)


def _receive(client: WebClient, response: httpx.Response, part: Path) -> None:
    if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
        return _check_nothing_left(response, part)
    if response.status_code == httpx.codes.PARTIAL_CONTENT:
        total_bytes = _check_continues(response, part)
    elif response.status_code == httpx.codes.OK:
        total_bytes = _number(response.headers.get("Content-Length"))
        _start_again(part, response.headers.get("ETag"))
    else:
        raise SourceError(f"{response.url}: status {response.status_code}, expected the file")
    with part.open("ab") as file:
        for chunk in client.chunks(response):
            file.write(chunk)
    return _check_length(part, total_bytes)


def _resuming(part: Path) -> Mapping[str, str]:
    """Return the headers that ask for the rest; none where nothing is there or nobody knows of what it is a part."""
    etag = _etag_file(part).read_text("utf-8") if _etag_file(part).is_file() else ""
    held_bytes = _size(part)
    return {"Range": f"bytes={held_bytes}-", "If-Range": etag} if etag and held_bytes else {}


def _start_again(part: Path, etag: str | None) -> None:
    """Empty the file before its new ETag is noted, so that a kill between never pairs old bytes with it."""
    _etag_file(part).unlink(missing_ok=True)
    with part.open("wb"):
        pass
    if etag and etag.startswith('"'):  # a weak one (W/"...") promises too little to join bytes by it
        temporary = _etag_file(part).with_suffix(".tmp")
        temporary.write_text(etag, "utf-8")
        temporary.rename(_etag_file(part))


def _check_continues(response: httpx.Response, part: Path) -> int | None:
    """Check that a partial answer begins where the file ends; return the length of the whole, if it is told."""
    found = _RANGE.match(response.headers.get("Content-Range", ""))
    etag = response.headers.get("ETag")
    known = _etag_file(part).read_text("utf-8") if _etag_file(part).is_file() else None
    held_bytes = _size(part)
    if found is None or _number(found[1]) != held_bytes or (etag is not None and etag != known):
        discard(part)
        raise Passing(f"the rest from byte {held_bytes} asked for, got {response.headers.get('Content-Range')!r}")
    return _number(found[2])


def _check_nothing_left(response: httpx.Response, part: Path) -> None:
    found = _RANGE.match(response.headers.get("Content-Range", ""))
    held_bytes = _size(part)
    if not held_bytes or found is None or _number(found[2]) != held_bytes:
        discard(part)
        raise Passing(f"{held_bytes} bytes held, the server has {response.headers.get('Content-Range')!r}")


def _check_length(part: Path, total_bytes: int | None) -> None:
    held_bytes = _size(part)
    if total_bytes is None or held_bytes == total_bytes:
        return
    if held_bytes > total_bytes:
        discard(part)
    raise Passing(f"expected {total_bytes} bytes, got {held_bytes}")


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _etag_file(part: Path) -> Path:
    return part.with_name(part.name + ETAG_SUFFIX)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
