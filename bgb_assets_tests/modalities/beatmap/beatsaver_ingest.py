"""The least that drives a source as the engine does: plan, fetch in threads, commit by rename; also as a process.

    python -m bgb_assets_tests.modalities.beatmap.beatsaver_ingest URL FOLDER

which tests kill. Belongs here: what `modalities.sources` says of whoever drives a source. Does not belong here: upload
records.
"""

import json
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from bgb_assets.modalities.beatmap.sources.beatsaver import BeatSaver, source
from bgb_assets.modalities.sources import Offer
from bgb_assets.runtime.errors import BadInput, SourceError
from bgb_assets.runtime.web_client import Clock, Manners, WebClient

HELD = "held"
REJECTED = "rejected"


def held_in(folder: Path) -> dict[str, str]:
    """Return path -> version of what is committed."""
    found = (folder / HELD).glob("*/offer.json")
    return {path.parent.name: json.loads(path.read_bytes())["version"] for path in found}


def ingest(asking: BeatSaver, folder: Path, work: Path | None = None) -> dict[str, str]:
    """Bring a folder in line with a source; return path -> what became of it this time."""
    for name in (HELD, REJECTED, "tmp"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    outcomes: dict[str, str] = {}
    work = work or folder / "work"
    held = held_in(folder)

    def one(offer: Offer) -> None:
        outcomes[offer.path] = _bring(asking, offer, held, folder, work)

    with ThreadPoolExecutor(asking.at_once) as threads:
        for done in [threads.submit(one, offer) for offer in asking.plan(held, work)]:
            done.result()
    return outcomes


def content_of(folder: Path) -> dict[str, bytes]:
    """Return relative path -> bytes of all that is committed or rejected."""
    files = [path for name in (HELD, REJECTED) for path in (folder / name).rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def quick(url: str, **options: str) -> BeatSaver:
    """Return the source for a server on this machine: all its rules, with waits a hundred times shorter."""
    clock = Clock(sleep=_short_sleep)
    chosen = source("", {"base_url": url, **options})
    return replace(
        chosen,
        api_client=WebClient(chosen.api_client.user_agent, Manners(at_once=1, pause_s=0.01), clock),
        file_client=WebClient(chosen.file_client.user_agent, Manners(at_once=8), clock),
    )


def _short_sleep(seconds: float) -> None:
    import time

    time.sleep(seconds / 100)


def _bring(asking: BeatSaver, offer: Offer, held: dict[str, str], folder: Path, work: Path) -> str:
    target = folder / HELD / offer.path
    rejected = folder / REJECTED / f"{offer.path}.json"
    if offer.gone:
        shutil.rmtree(target)
        return "gone"
    if held.get(offer.path) == offer.version:
        _write(target / "offer.json", offer)
        return "held"
    out = Path(tempfile.mkdtemp(dir=folder / "tmp"))
    try:
        asking.fetch(offer, work, out)
    except BadInput as error:
        rejected.write_text(json.dumps({"version": offer.version, "reason": error.reason}))
        return "rejected"
    except SourceError:
        return "not now"
    _write(out / "offer.json", offer)
    if target.exists():
        shutil.rmtree(target)
    out.rename(target)
    return "new"


def _write(path: Path, offer: Offer) -> None:
    said = {"version": offer.version, "facts": dict(offer.facts), "popularity": dict(offer.popularity)}
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(said | {"document": offer.document}, sort_keys=True))
    temporary.rename(path)


if __name__ == "__main__":
    ingest(quick(sys.argv[1]), Path(sys.argv[2]))
