"""A real HTTP server on this machine for tests: files with ETags and ranges, and faults on request.

Belongs here: what any file server does, well or badly. Does not belong here: what one modality's servers say.
"""

import sys
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from bgb_assets.runtime.web_client import Clock


class Ticks:
    """Time that only passes when somebody sleeps; safe for threads."""

    def __init__(self) -> None:
        self.now_s = 1_000_000.0
        self.slept: list[float] = []
        self._lock = threading.Lock()

    def clock(self, chance: float = 1.0) -> Clock:
        return Clock(wall_s=self.read, steady_s=self.read, sleep=self.sleep, chance=lambda: chance)

    def read(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.now_s += seconds
            self.slept.append(seconds)


@dataclass
class Asked:
    """One request as it came in."""

    path: str
    headers: dict[str, str]
    at_s: float


@dataclass
class Reply:
    """An answer; `cut` bytes of the body are sent before the line breaks, `length` is what the header claims."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    length: int | None = None
    pause_s: float = 0.0


Fault = Callable[[bytes, str], Reply]
"""(content, ETag) -> the answer of a server that fails."""


def status(code: int, **headers: str) -> Fault:
    return lambda content, etag: Reply(code, b"no", {name.replace("_", "-"): text for name, text in headers.items()})


def cut(share: float) -> Fault:
    return lambda content, etag: Reply(200, content, {"ETag": etag}, cut=int(len(content) * share))


def other_etag(share: float) -> Fault:
    """An older version of the file, cut: its beginning must not be joined to the end of the newer one."""
    return lambda content, etag: Reply(200, content[::-1], {"ETag": '"older"'}, cut=int(len(content) * share))


def short_length(content: bytes, etag: str) -> Reply:
    return Reply(200, content[: len(content) // 2], {"ETag": etag})


def long_length(content: bytes, etag: str) -> Reply:
    return Reply(200, content, {"ETag": etag}, length=len(content) + 10)


def corrupt(content: bytes, etag: str) -> Reply:
    middle = len(content) // 2
    return Reply(200, content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :], {"ETag": etag})


def html(content: bytes, etag: str) -> Reply:
    return Reply(200, b"<html>come back later</html>", {"Content-Type": "text/html"})


def slow(pause_s: float) -> Fault:
    return lambda content, etag: Reply(200, content, {"ETag": etag}, pause_s=pause_s)


def whole(content: bytes, etag: str) -> Reply:
    """What a server sends that knows no ranges."""
    return Reply(200, content, {"ETag": etag})


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that were killed."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class WebServer:
    """Serves `files`; each answer to a path uses up one of its `faults` first. A context manager."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, deque[Fault]] = defaultdict(deque)
        self.asked: list[Asked] = []
        self.sent_bytes = 0
        self.now: Callable[[], float] = time.monotonic
        self._lock = threading.Lock()
        self._server = _Quiet(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def reply(self, asked: Asked) -> Reply:
        """Answer a request; for subclasses that serve more than files."""
        content = self.files.get(asked.path)
        if content is None:
            return Reply(404, b"not here")
        etag = f'"{hash(content) & 0xFFFFFFFF:08x}"'
        with self._lock:
            fault = self.faults[asked.path].popleft() if self.faults[asked.path] else None
        return fault(content, etag) if fault else self._ranged(asked, content, etag)

    def _ranged(self, asked: Asked, content: bytes, etag: str) -> Reply:
        wanted = asked.headers.get("range")
        if wanted is None or asked.headers.get("if-range") != etag:
            return Reply(200, content, {"ETag": etag})
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start >= len(content):
            return Reply(416, b"", {"Content-Range": f"bytes */{len(content)}"})
        span = f"bytes {start}-{len(content) - 1}/{len(content)}"
        return Reply(206, content[start:], {"ETag": etag, "Content-Range": span})

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                headers = {name.lower(): text for name, text in self.headers.items()}
                asked = Asked(self.path, headers, server.now())
                with server._lock:
                    server.asked.append(asked)
                try:
                    self._send(server.reply(asked))
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            def _send(self, reply: Reply) -> None:
                self.send_response(reply.status)
                for name, text in reply.headers.items():
                    self.send_header(name, text)
                self.send_header("Content-Length", str(len(reply.body) if reply.length is None else reply.length))
                self.end_headers()
                body = reply.body if reply.cut is None else reply.body[: reply.cut]
                pieces = [body[: len(body) // 2], body[len(body) // 2 :]] if reply.pause_s else [body]
                for number, piece in enumerate(pieces):
                    time.sleep(reply.pause_s * number)
                    self.wfile.write(piece)
                    with server._lock:
                        server.sent_bytes += len(piece)
                self.close_connection = self.close_connection or len(body) != (reply.length or len(reply.body))

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler


def in_http(when_s: float) -> str:
    """Return an instant as HTTP writes dates."""
    return formatdate(when_s, usegmt=True)
