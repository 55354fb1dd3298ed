"""BeatSaver on this machine: its API and the zips behind it, with the faults that a test asks for.

The order and bounds of its pages are the real server's: exclusive instants, `after` gives the oldest first but every
page is sorted from new to old. Belongs here: maps, documents, pages. Does not belong here: faults of any file server
(`bgb_assets_tests.runtime.web_server`).
"""

import io
import json
import math
import zipfile
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

from bgb_assets.modalities.beatmap.formats.identities import beatsaver_hash
from bgb_assets.modalities.beatmap.sources.beatsaver_api import instant_text
from bgb_assets_tests.fixtures import REPOSITORY
from bgb_assets_tests.runtime.web_server import Asked, Fault, Reply, WebServer

START = datetime(2024, 1, 1, tzinfo=UTC)
SAMPLES = REPOSITORY / "data" / "samples" / "beatmap"
DIFFICULTIES = ("NormalStandard.dat", "HardStandard.dat", "ExpertStandard.dat")


def score_of(upvotes: int, downvotes: int) -> float:
    """Return the site's score: r - (r - 0.5)·2^(-log3(n/2 + 1)), r = up/n."""
    votes = upvotes + downvotes
    share = upvotes / votes if votes else 0.0
    return share - (share - 0.5) * 2 ** -math.log(votes / 2 + 1, 3)


def map_zip(index: int, sound: bool = False) -> tuple[str, bytes]:
    """Return the hash and the zip of a playable map of its own: a tracked sample under another title."""
    folder = SAMPLES / f"song_{index % 12:04d}"
    info = json.loads((folder / "Info.dat").read_bytes()) | {"_songName": f"Map {index}"}
    files = {"Info.dat": json.dumps(info).encode()}
    listed = [
        entry["_beatmapFilename"] for group in info["_difficultyBeatmapSets"] for entry in group["_difficultyBeatmaps"]
    ]
    files |= {name: (folder / name).read_bytes() for name in listed}
    if sound:
        files["song.egg"] = (folder / "song.egg").read_bytes()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return beatsaver_hash(files["Info.dat"], [files[name] for name in listed]), packed.getvalue()


class BeatSaverServer(WebServer):
    """Plays `api.beatsaver.com` and its file server. A context manager."""

    def __init__(self) -> None:
        super().__init__()
        self.documents: dict[str, dict] = {}
        self.deleted: dict[str, datetime] = {}
        self.api_faults: list[Fault | None] = []

    def publish(self, index: int, at: datetime | None = None, sound: bool = False, **changes: object) -> str:
        """Add a map, or a new version of one, or one that was deleted, and return its number."""
        number = f"{0x1000 + index:x}"
        self.deleted.pop(number, None)
        content_hash, content = map_zip(int(changes.pop("content", index)), sound)
        self.files[f"/cdn/{content_hash}.zip"] = content
        self.documents[number] = self._document(index, number, content_hash, at or START + timedelta(minutes=index))
        self.documents[number] |= changes
        return number

    def delete(self, number: str, at: datetime) -> None:
        """Take a map back, as its mapper can."""
        self.deleted[number] = at
        version = self.documents.pop(number)["versions"][0]
        del self.files[self.file_path(version)]

    def file_path(self, version: dict) -> str:
        return version["downloadURL"].removeprefix(self.url)

    def zip_path(self, number: str) -> str:
        return self.file_path(self.documents[number]["versions"][0])

    def reply(self, asked: Asked) -> Reply:
        if asked.path.startswith("/cdn/"):
            return super().reply(asked)
        fault = self.api_faults.pop(0) if self.api_faults else None
        if fault is not None:
            return fault(b"{}", '""')
        address = urlsplit(asked.path)
        return self._page(address.path, dict(parse_qsl(address.query)))

    def api_asked(self) -> list[Asked]:
        return [asked for asked in self.asked if not asked.path.startswith("/cdn/")]

    def _page(self, path: str, query: dict[str, str]) -> Reply:
        if path == "/maps/latest":
            assert query["sort"] == "LAST_PUBLISHED"
            human = [each for each in self.documents.values() if each.get("declaredAi") in (None, "None")]
            listed = list(self.documents.values()) if query.get("automapper") == "true" else human
            return _json({"docs": _by_time(listed, "lastPublishedAt", query)})
        if path == "/maps/deleted":
            rows = [{"id": number, "deletedAt": instant_text(at)} for number, at in self.deleted.items()]
            return _json({"docs": _by_time(rows, "deletedAt", query)})
        if path.startswith("/maps/ids/"):
            asked = path.rpartition("/")[2].split(",")
            assert len(asked) <= 50
            return _json({number: self.documents[number] for number in asked if number in self.documents})
        if path.startswith("/search/text/"):
            return self._search(int(path.rpartition("/")[2]), query)
        return Reply(404, b'{"success":false}')

    def _search(self, page: int, query: dict[str, str]) -> Reply:
        bound = float(query["minRating"])
        found = [each for each in self.documents.values() if (each["stats"]["score"] or 0) >= bound]
        found.sort(key=lambda each: (-(each["stats"]["score"] or 0), each["id"]))
        size = int(query["pageSize"])
        info = {"total": len(found), "pages": math.ceil(len(found) / size)}
        return _json({"docs": found[page * size : (page + 1) * size], "info": info})

    def _document(self, index: int, number: str, content_hash: str, at: datetime) -> dict:
        upvotes, downvotes = 20 + index % 50, index % 3
        version = {
            "hash": content_hash,
            "state": "Published",
            "createdAt": instant_text(at),
            "sageScore": 0,
            "diffs": [{"characteristic": "Standard", "difficulty": "Hard", "njs": 10, "notes": 100, "nps": 3.0}],
            "downloadURL": f"{self.url}/cdn/{content_hash}.zip",
            "coverURL": f"{self.url}/cdn/{content_hash}.jpg",
            "previewURL": f"{self.url}/cdn/{content_hash}.mp3",
        }
        return {
            "id": number,
            "name": f"Map {index}",
            "description": "",
            "uploader": {"id": index % 7, "name": f"mapper {index % 7}"},
            "metadata": {"bpm": 120.0, "duration": 60 + index, "songName": f"Map {index}", "levelAuthorName": "m"},
            "stats": {
                "plays": 0,
                "downloads": index,
                "upvotes": upvotes,
                "downvotes": downvotes,
                "score": round(score_of(upvotes, downvotes), 4),
            },
            "uploaded": instant_text(START + timedelta(minutes=index)),
            "automapper": False,
            "ranked": index % 10 == 0,
            "qualified": False,
            "versions": [version],
            "curatedAt": instant_text(at) if index % 25 == 0 else None,
            "createdAt": instant_text(at),
            "updatedAt": instant_text(at),
            "lastPublishedAt": instant_text(at),
            "tags": ["tech"] if index % 2 else ["pop", "dance"],
            "declaredAi": "None",
            "blRanked": False,
        }


def _by_time(rows: list[dict], field: str, query: dict[str, str]) -> list[dict]:
    def instant(row: dict) -> datetime:
        return datetime.fromisoformat(row[field])

    before, after = (datetime.fromisoformat(query[name]) if name in query else None for name in ("before", "after"))
    within = [row for row in rows if (not before or instant(row) < before) and (not after or instant(row) > after)]
    nearest = sorted(within, key=instant, reverse=after is None)[: min(100, int(query["pageSize"]))]
    return sorted(nearest, key=instant, reverse=True)


def _json(value: object) -> Reply:
    return Reply(200, json.dumps(value).encode(), {"Content-Type": "application/json"})
