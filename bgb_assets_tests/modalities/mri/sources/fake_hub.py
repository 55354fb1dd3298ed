"""A hub of one data set on this machine: the few addresses that its client library asks for.

Belongs here: listing and serving ranges of files. Does not belong here: what is tested with it.
"""

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "c0ffee" + "0" * 34


class FakeHub(ThreadingHTTPServer):
    """Serves the files of a folder as the data set `owner/scans`.

    Attributes:
        served_bytes: Of files, by path.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.served_bytes: dict[str, int] = {}

    @property
    def address(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def entries(self) -> list[dict]:
        """What the hub says of the files."""
        found = []
        for path in sorted(self.folder.rglob("*")):
            name, folder = path.relative_to(self.folder).as_posix(), path.is_dir()
            digest = "" if folder else hashlib.sha256(path.read_bytes()).hexdigest()
            size = 0 if folder else path.stat().st_size
            entry = {
                "type": "directory" if folder else "file",
                "oid": f"{digest[:40]:0<40}",
                "size": size,
                "path": name,
            }
            lfs = {"oid": digest, "size": size, "pointerSize": 130}
            found.append(entry if folder else {**entry, "lfs": lfs})
        return found


class _Handler(BaseHTTPRequestHandler):
    server: FakeHub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.startswith(f"/datasets/owner/scans/resolve/{COMMIT}/"):
            self._serve(path.split("/", 6)[6])
        elif path.startswith("/api/datasets/owner/scans/tree/"):
            below = path.split("/", 7)[7] if path.count("/") > 6 else ""
            self._json([entry for entry in self.server.entries() if entry["path"].startswith(below)])
        elif re.fullmatch(rf"/api/datasets/owner/scans(/revision/(main|v1|{COMMIT}))?", path):
            self._json({"id": "owner/scans", "sha": COMMIT, "siblings": []})
        else:
            self._json({"error": "not found"}, 404)

    do_HEAD = do_GET  # noqa: N815 - the name is the library's

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        paths = asked["paths"] if isinstance(asked["paths"], list) else [asked["paths"]]
        self._json([entry for entry in self.server.entries() if entry["path"] in paths])

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def _serve(self, path: str) -> None:
        data = (self.server.folder / path).read_bytes()
        match = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("range") or "")
        part = data[int(match[1]) : int(match[2]) + 1] if match else data
        if self.command == "GET":
            self.server.served_bytes[path] = self.server.served_bytes.get(path, 0) + len(part)
        self._send(206 if match else 200, part, "application/octet-stream")

    def _json(self, value: object, status: int = 200) -> None:
        self._send(status, json.dumps(value).encode(), "application/json")

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.send_header("x-repo-commit", COMMIT)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@contextmanager
def fake_hub(folder: Path) -> Iterator[FakeHub]:
    """Serve a folder until the block ends."""
    hub = FakeHub(folder)
    thread = threading.Thread(target=hub.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()
        thread.join()
