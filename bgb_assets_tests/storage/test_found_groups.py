import json

import pytest

from bgb_assets.runtime.errors import ConfigError
from bgb_assets.storage.found_groups import FOUND_FILE, append_found, has_found, write_found
from bgb_assets.storage.pins import read_pins
from bgb_assets.storage.splits import TEST, TRAIN, VAL


def test_found_pairs_are_listed_once_and_sorted(tmp_path):
    splits = {"a": TRAIN, "b": TEST, "c": VAL, "unused": VAL}
    write_found(tmp_path, [("b", "a"), ("c", "a"), ("a", "b")], splits)
    assert has_found(tmp_path)
    assert json.loads((tmp_path / FOUND_FILE).read_bytes()) == {
        "version": 1,
        "pairs": [["a", "b"], ["a", "c"]],
        "splits": {"a": "train", "b": "test", "c": "val"},
    }


def test_nothing_found_writes_no_file(tmp_path):
    write_found(tmp_path, [], {})
    assert not has_found(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_was_found_is_appended_once(tmp_path):
    manifest, pins = tmp_path / "manifest", tmp_path / "pins"
    manifest.mkdir()
    write_found(manifest, [("a", "b")], {"a": TRAIN, "b": TEST})
    assert append_found(manifest, pins, {"b": TEST}, tmp_path / "lock")
    held = read_pins(pins)
    assert (held.pairs, held.splits) == ((("a", "b"),), {"b": TEST, "a": TEST})
    before = {path.name: path.read_bytes() for path in pins.iterdir()}
    assert not append_found(manifest, pins, {"b": TEST, "a": TRAIN}, tmp_path / "lock")
    assert {path.name: path.read_bytes() for path in pins.iterdir()} == before


def test_a_removed_pair_is_appended_again_with_the_splits_that_stayed(tmp_path):
    manifest, pins = tmp_path / "manifest", tmp_path / "pins"
    manifest.mkdir()
    write_found(manifest, [("a", "b")], {"a": TRAIN, "b": TEST})
    append_found(manifest, pins, {}, tmp_path / "lock")
    (pins / "groups.json").unlink()
    assert append_found(manifest, pins, {}, tmp_path / "lock")
    assert read_pins(pins).pairs == (("a", "b"),)
    assert read_pins(pins).splits == {"a": TRAIN, "b": TRAIN}


def test_damaged_pins_are_not_written_over(tmp_path):
    (tmp_path / "groups.json").write_text("[")
    write_found(tmp_path, [("a", "b")], {"a": TRAIN, "b": TRAIN})
    with pytest.raises(ConfigError, match=r"groups\.json: expected"):
        append_found(tmp_path, tmp_path, {}, tmp_path / "lock")
    assert (tmp_path / "groups.json").read_text() == "["
