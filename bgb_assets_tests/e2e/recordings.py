"""EEG recordings that went through the chain, and which of its stages were called for them.

Belongs here: the samples as a store, edits of their files, and counting. Does not belong here: what a test expects;
driving a chain of any modality (`driving`).
"""

import os
import shutil
from pathlib import Path

from bgb_assets.chain import Chain
from bgb_assets_tests import driving
from bgb_assets_tests.conftest import SETTLE_AT_ONCE
from bgb_assets_tests.fixtures import REPOSITORY

SAMPLES = REPOSITORY / "data" / "samples" / "eeg"
PATIENT, HEADER_BYTES = slice(8, 88), slice(184, 192)
"""Where an EDF header holds the patient, and its own length (www.edfplus.info/specs/edf.html)."""

COUNTED = ("cache", "features", "notes", "manifest")


def open_chain(root: Path) -> Chain:
    """Return the chain as a new process would have it."""
    return driving.open_chain("eeg", root)


def finish_samples(root: Path) -> Path:
    """Bring the sample recordings as far as tokens in an empty data root."""
    (root / "config.toml").write_text(SETTLE_AT_ONCE)
    shutil.copytree(SAMPLES, root / "inbox" / "eeg", copy_function=shutil.copyfile)
    driving.calls_through_tokens(open_chain(root))
    return root


def calls_of(root: Path, *changed: str) -> tuple[int, ...]:
    """Run the chain; return the calls of `COUNTED`, the manifest's files of tables not counted one by one.

    No upload but those in `changed` may have another entry than before, and no signal may be filtered, nor a file
    decoded, without a call of its stage.
    """
    calls = driving.rebuilt(open_chain(root), changed, ("decodes", "signals_filtered"))
    assert calls.get("decodes", 0) == calls.get("cache", 0)
    assert calls.get("signals_filtered", 0) == calls.get("features", 0)
    return (*(calls.get(stage, 0) for stage in COUNTED[:-1]), min(calls.get("manifest", 0), 1))


def rename_patient(edf: Path, patient: str) -> None:
    """Write another patient into an EDF header, in place."""
    content = bytearray(edf.read_bytes())
    content[PATIENT] = patient.encode("ascii").ljust(PATIENT.stop - PATIENT.start)
    edf.write_bytes(content)


def change_sample(edf: Path) -> None:
    """Flip the last bit of the first sample of an EDF file, in place."""
    content = bytearray(edf.read_bytes())
    content[int(content[HEADER_BYTES])] ^= 1
    edf.write_bytes(content)


def touch_all(folder: Path) -> None:
    """Give every file below a folder another time."""
    for path in folder.rglob("*"):
        os.utime(path, (1, 1))
