"""The hub's own client library against a hub on this machine, in a process that has its address from the start."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bgb_assets.modalities.mri.sources import hub
from bgb_assets.runtime.errors import UsageError
from bgb_assets.storage.digests import sha256_bytes
from bgb_assets_tests.modalities.mri.sources.fake_hub import FakeHub, fake_hub
from bgb_assets_tests.modalities.mri.sources.source_case import file_of, image_of, mask_of, row_of, write_rows

SCRIPT = """
import hashlib, json, sys
from pathlib import Path
from bgb_assets.modalities.mri.sources.cohort import Asked
from bgb_assets.modalities.mri.sources.hub import HubRepository
from bgb_assets.modalities.mri.sources.parquet import ParquetRows
from bgb_assets.modalities.mri.sources.plan import Origin
from bgb_assets.runtime.errors import SourceError
name, work = sys.argv[1], Path(sys.argv[2])
rows = ParquetRows(HubRepository(name, "v1"), Origin("hf", name, "v1"), Asked(expect=2))
try:
    offers = list(rows.plan({}, work))
    found = {}
    for offer in offers:
        out = work / offer.path
        out.mkdir()
        rows.fetch(offer, work, out)
        found[offer.path] = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(out.iterdir())}
    print(json.dumps([found, offers[0].origin, "datasets" in sys.modules]))
except SourceError as error:
    print(json.dumps(str(error)))
"""
needs_library = pytest.mark.skipif(
    importlib.util.find_spec("huggingface_hub") is None, reason="the hub's library is absent: extra hf"
)


def asked_for(address: str, name: str, work: Path) -> object:
    """Plan and fetch in a process whose hub is at this address."""
    work.mkdir()
    environment = {**os.environ, "HF_ENDPOINT": address, "HF_HOME": str(work / "home")}
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT, name, str(work)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def served(tmp_path: Path):
    series = [file_of(os.urandom(3 << 20), "x_bold.nii.gz")]
    rows = [row_of(name, "1", n, bold_rest=series) for n, name in enumerate("ABC")]
    rows[1]["lesion"] = None
    write_rows(tmp_path / "repository" / "data" / "train-0.parquet", rows)
    with fake_hub(tmp_path / "repository") as found:
        yield found


@needs_library
def test_rows_come_by_ranges_and_no_other_series_is_downloaded(served: FakeHub, tmp_path: Path) -> None:
    found, origin, loads_datasets = asked_for(served.address, "owner/scans", tmp_path / "work")
    assert set(found) == {"hf.sub-A_ses-1", "hf.sub-C_ses-1"}
    assert sorted(found["hf.sub-C_ses-1"].values()) == sorted(map(sha256_bytes, (image_of(2), mask_of(2))))
    assert origin.startswith("owner/scans@v1/")
    assert not loads_datasets
    assert served.served_bytes["data/train-0.parquet"] < 1 << 20


@needs_library
def test_a_hub_that_cannot_be_asked_is_told(served: FakeHub, tmp_path: Path) -> None:
    said = asked_for(served.address, "owner/other", tmp_path / "work")
    assert str(said).startswith("hf:owner/other: the hub cannot be asked: ")


def test_without_the_extra_one_line_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "find_spec", lambda name: None)
    with pytest.raises(UsageError) as error:
        hub.source("owner/name", {})
    assert str(error.value) == "hf: needs datasets: pip install 'bgb_assets[hf]'"


def test_a_repository_and_its_revision_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "find_spec", lambda name: object())
    found = hub.source("owner/name", {"revision": "v1", "expect": "3"})
    assert (found.storage, found.asked.expect) == (hub.HubRepository("owner/name", "v1"), 3)
    assert (found.origin.id, found.origin.revision, found.origin.root) == ("owner/name", "v1", None)
    for wrong in ("", "name", "a/b/c", "/name"):
        with pytest.raises(UsageError, match="name a data set of the hub"):
            hub.source(wrong, {})
