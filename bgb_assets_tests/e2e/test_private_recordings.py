"""What a header says about a person stays in the delivered file: no entry, record, row or log repeats it."""

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from bgb_assets_tests.driving import fan_in, ingest, walk
from bgb_assets_tests.e2e.recordings import SAMPLES, open_chain, rename_patient
from bgb_assets_tests.fixtures import shared_data

INVENTED = "Hans_Muller"
"""In the header of test_generator.edf, which has no electrode; written into a recording that has."""
NAMED = "X M 30-JUN-1969 Hans_Muller"
TRAINING = """
[inbox]
settle_s = 0.0
[eeg.model.sdpa-tiny.training]
steps = 2
batch = 2
validate_every_steps = 2
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with both recordings and the other samples, brought as far as a model."""
    root = tmp_path_factory.mktemp("private")
    (root / "config.toml").write_text(TRAINING)
    inbox = root / "inbox" / "eeg"
    shutil.copytree(SAMPLES, inbox, copy_function=shutil.copyfile)
    shutil.copyfile(shared_data("eeg") / "edf" / "test_generator.edf", inbox / "test_generator.edf")
    rename_patient(next((inbox / "train").rglob("*.edf")), NAMED)
    chain = open_chain(root)
    ingest(chain)
    found = walk(chain)
    assert [name for name, outcome in found.items() if outcome.rejection] == ["test_generator"]
    fan_in(chain)
    return root


def text_of(path: Path) -> bytes:
    """Return a file's bytes; of Parquet, which is compressed, what its tables and their metadata say."""
    if path.suffix != ".parquet":
        return path.read_bytes()
    table = pq.read_table(path)
    return json.dumps([table.to_pylist(), str(table.schema.metadata)], default=str).encode()


def test_the_name_is_in_delivered_files_only(root: Path) -> None:
    holding = {path for path in root.rglob("*") if path.is_file() and INVENTED.encode() in text_of(path)}
    assert len(holding) == 2
    assert {path.relative_to(root).parts[:2] for path in holding} == {("inbox", "eeg")}


def test_every_stage_was_searched(root: Path) -> None:
    searched = {path.relative_to(root).parts[0] for path in root.rglob("*") if path.is_file()}
    assert searched >= {"raw", "cache", "features", "notes", "manifest", "tokens", "model", "uploads", "logs"}
    assert list((root / "quarantine").rglob("*.json")), "the recording without an electrode has its row"
