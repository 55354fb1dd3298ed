"""A driver of an ingest from a shelf, to be run as a process of its own and killed.

    python -m bgb_assets_tests.e2e.ingest_source DATA_ROOT SHELF [--processes] [--hold KIND:N]

Says `ready` when all is imported, begins when it reads a line, and says `done` at the end. With `--hold` it stops for
good before the Nth write of a kind and says `held`: `blob` (a file of a fetch is moved among the blobs), `record` (an
upload record), `taken` (the note that an offer is being fetched), `json` (any of those, documents and rows of the
quarantine).
"""

import argparse
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bgb_assets.chain import Chain
from bgb_assets.engine import landing, offers
from bgb_assets.engine.sources import SourceIngest
from bgb_assets.runtime.executor import InProcessExecutor
from bgb_assets.runtime.settings import load_settings
from bgb_assets.storage import atomic, blobs, quarantine, uploads
from bgb_assets_tests import toy
from bgb_assets_tests.toy_source import PREFIX, FolderSource


def main() -> None:
    """Ingest as the command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("root", type=Path)
    parser.add_argument("shelf", type=Path)
    parser.add_argument("--processes", action="store_true")
    parser.add_argument("--hold", default="")
    arguments = parser.parse_args()
    if arguments.hold:
        hold(*arguments.hold.split(":"))
    settings = load_settings({"BGB_DATA_ROOT": str(arguments.root)})
    source = FolderSource(arguments.shelf, processes=arguments.processes)
    work = SourceIngest(Chain(toy.MODALITY, settings, InProcessExecutor()), PREFIX, source)
    print("ready", flush=True)
    sys.stdin.readline()
    work.run()
    print("done", flush=True)


def hold(kind: str, number: str) -> None:
    """Stop for good before the given write, counted from 0."""
    left = [int(number)]
    lock = threading.Lock()

    def counted() -> None:
        with lock:
            if left[0] == 0:
                print("held", flush=True)
                while True:
                    signal.sigwait({signal.SIGUSR1})
            left[0] -= 1

    if kind == "blob":
        setattr(blobs.Blobs, "take", _before(blobs.Blobs.take, counted))  # noqa: B010 - mypy forbids assigning it
    elif kind == "record":
        setattr(uploads.Uploads, "put", _before(uploads.Uploads.put, counted))  # noqa: B010
    elif kind == "taken":
        setattr(offers.Taken, "put", _before(offers.Taken.put, counted))  # noqa: B010
    else:
        for module in (landing, offers, quarantine, uploads):
            setattr(module, "write_json", _before(atomic.write_json, counted))  # noqa: B010


def _before(function: Callable[..., Any], hook: Callable[[], None]) -> Callable[..., Any]:
    def hooked(*arguments: Any, **named: Any) -> Any:
        hook()
        return function(*arguments, **named)

    return hooked


if __name__ == "__main__":
    main()
