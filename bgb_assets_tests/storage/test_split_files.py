import json
from pathlib import Path

import pytest

from bgb_assets.runtime.errors import ConfigError, UsageError
from bgb_assets.storage.nested_splits import NestedSplitParams, deal_nested
from bgb_assets.storage.split_files import (
    FOLDER,
    SplitFile,
    make_split,
    name_in_use,
    pin_split,
    read_pinned,
    read_split,
    start_new,
    write_split,
)

PARAMS = NestedSplitParams(strata=("size",))


def split_of(count: int, name: str = "default", pinned: SplitFile | None = None) -> SplitFile:
    groups = [f"p{number:02d}" for number in range(count)]
    strata = {group: f"size={int(group[1:]) % 2}" for group in groups}
    deal = deal_nested(strata, PARAMS, lambda _, others: others[0], pinned.folds if pinned else None)
    return make_split(name, PARAMS, deal, {group: [f"{group}_b", f"{group}_a"] for group in groups}, pinned)


def test_a_split_is_read_as_it_was_written_one_group_a_line(tmp_path: Path) -> None:
    split = split_of(7)
    write_split(tmp_path / "one.json", split)
    write_split(tmp_path / "two.json", split)
    assert read_split(tmp_path / "one.json") == split
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()
    content = json.loads((tmp_path / "one.json").read_bytes())
    assert content["digest"] == split.digest
    assert content["groups"]["p03"]["members"] == ["p03_a", "p03_b"]
    assert sum('"members"' in line for line in (tmp_path / "one.json").read_text().splitlines()) == 7
    empty = split_of(0)
    write_split(tmp_path / "none.json", empty)
    assert read_split(tmp_path / "none.json") == empty


def test_digest_follows_the_content() -> None:
    assert split_of(7).digest == split_of(7).digest
    assert len({split_of(7).digest, split_of(8).digest, split_of(7, "other").digest}) == 3


def test_pinning_a_deal_of_fewer_folds_keeps_its_digest() -> None:
    params = NestedSplitParams(outer=5, rare="fewer", strata=("size",))
    strata = {f"p{number:02d}": f"size={int(number > 2)}" for number in range(12)}
    members = {group: [group] for group in strata}
    first = make_split("default", params, deal_nested(strata, params, min), members)
    again = make_split("default", params, deal_nested(strata, params, min, first.folds), members, first)
    assert first.notes != again.notes
    assert first.digest == again.digest


def test_group_that_is_gone_stays_in_the_file() -> None:
    ten = split_of(10)
    three = split_of(3, pinned=ten)
    assert three.folds == ten.folds
    assert three.groups["p09"].members == ()
    assert split_of(10, pinned=three).groups == ten.groups


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"outer": 0', '"outer": 1', "do not fit 3 outer and 3 inner"),
        ("p03_a", "p03_c", "the content has digest"),
        ('"version": 1', '"version": 2', "version 2, this program reads 1"),
        ('"groups"', '"group"', "not a split file"),
        ("{", "[", "not a split file"),
    ],
)
def test_a_file_changed_by_hand_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "one.json"
    write_split(path, split_of(7))
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ConfigError, match=said):
        read_split(path)


def test_pinned_split_is_found_and_its_params_hold(tmp_path: Path) -> None:
    assert read_pinned(tmp_path, PARAMS) is None
    write_split(tmp_path / FOLDER / "default.json", split_of(7))
    assert read_pinned(tmp_path, PARAMS) == split_of(7)
    with pytest.raises(ConfigError, match="was dealt with outer 3, not 5 and seed 42, not 7; set that"):
        read_pinned(tmp_path, NestedSplitParams(strata=("size",), outer=5, seed=7))


def test_pinning_appends_and_never_moves(tmp_path: Path) -> None:
    pins, made, lock = tmp_path / "pins", tmp_path / "made.json", tmp_path / "lock"
    write_split(made, split_of(7))
    assert pin_split(made, pins, lock)
    assert not pin_split(made, pins, lock)
    pinned = read_pinned(pins, PARAMS)
    write_split(made, split_of(12, pinned=pinned))
    assert pin_split(made, pins, lock)
    afresh = split_of(20)
    assert any(afresh.folds[group] != folds for group, folds in split_of(12, pinned=pinned).folds.items())
    write_split(made, afresh)
    with pytest.raises(ConfigError, match="groups lie elsewhere than"):
        pin_split(made, pins, lock)


def test_a_new_split_is_named_and_the_old_one_stays(tmp_path: Path) -> None:
    write_split(tmp_path / FOLDER / "default.json", split_of(7))
    start_new(tmp_path, "second")
    assert name_in_use(tmp_path) == "second"
    assert read_pinned(tmp_path, PARAMS) is None
    write_split(tmp_path / "made.json", split_of(7))
    with pytest.raises(ConfigError, match="is split 'default', in use is 'second'"):
        pin_split(tmp_path / "made.json", tmp_path, tmp_path / "lock")
    for name in ("default", "second"):
        with pytest.raises(UsageError, match="there is a split"):
            start_new(tmp_path, name)
    for name in ("In Use", "in_use", "../x"):
        with pytest.raises(UsageError, match="is named with small letters"):
            start_new(tmp_path, name)
    (tmp_path / FOLDER / "in_use.json").write_text('{"name": "../x"}')
    with pytest.raises(ConfigError, match="is named with small letters"):
        name_in_use(tmp_path)
