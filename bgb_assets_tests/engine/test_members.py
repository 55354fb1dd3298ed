import json
from dataclasses import replace
from pathlib import Path

import pytest

from bgb_assets.engine.members import members_of, pins_digest
from bgb_assets.storage.uploads import UploadRecord
from bgb_assets_tests import toy
from bgb_assets_tests.conftest import MakeChain
from bgb_assets_tests.driving import everything


@pytest.fixture
def chain(data_root: Path, make_chain: MakeChain):
    toy.synth(data_root / "inbox" / "toy", 2, seed=6)
    everything(make_chain())
    return make_chain()


def uploads(chain) -> list[UploadRecord]:
    return list(chain.uploads.all())


def test_digest_is_of_declared_facets_and_labels(chain) -> None:
    manifest, tokens = chain.modality.stage("manifest"), chain.modality.stage("tokens")
    before = members_of(chain, manifest, uploads(chain)).digests
    assert set(before) == {"toy_00000", "toy_00001"}
    liked = [replace(upload, popularity={"plays": 5}) for upload in uploads(chain)]
    assert members_of(chain, manifest, liked).digests != before, "manifest reads labels"
    assert members_of(chain, tokens, liked).digests == members_of(chain, tokens, uploads(chain)).digests


def test_directory_is_made_when_it_is_asked_for(chain, tmp_path: Path) -> None:
    inputs = members_of(chain, chain.modality.stage("tokens"), uploads(chain))
    members = inputs.open(tmp_path / "space")
    entry = members[1].entries["notes"]
    assert entry.facets, "a facet needs no directory"
    assert not (tmp_path / "space").exists()
    assert entry.directory == tmp_path / "space" / "toy_00001" / "notes"
    assert [path.name for path in (tmp_path / "space").iterdir()] == ["toy_00001"]
    assert json.loads((entry.directory / "notes.json").read_text())["words"]
    assert (chain.store.root / entry.location / "notes.json").is_file()
    assert members[1].entries["notes"].directory == entry.directory, "once more is the same"
    assert (list(members[0].entries), len(members[0].entries), members[0].labels) == (["notes"], 1, {})
    with pytest.raises(AttributeError, match="directories"):
        _ = entry.directories
    with pytest.raises(KeyError):
        members[0].entries["raw"]


def test_pins_digest_is_of_names_and_bytes(tmp_path: Path) -> None:
    missing = pins_digest(tmp_path / "absent")
    (tmp_path / "pins" / "deep").mkdir(parents=True)
    assert pins_digest(tmp_path / "pins") == missing
    (tmp_path / "pins" / "deep" / "splits.json").write_text("{}")
    first = pins_digest(tmp_path / "pins")
    (tmp_path / "pins" / "deep" / "splits.json").rename(tmp_path / "pins" / "splits.json")
    assert len({missing, first, pins_digest(tmp_path / "pins")}) == 3
