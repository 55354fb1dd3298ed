import json

import pyarrow as pa
import pytest

from bgb_assets.runtime.errors import ContractError, UsageError
from bgb_assets.storage.manifest import (
    check_rows,
    count_rows,
    read_counts,
    read_rows,
    rows_schema,
    splits_of_groups,
    write_manifest,
)
from bgb_assets.storage.splits import NONE, TEST, TRAIN, VAL, SplitParams

SCHEMA = rows_schema({"level": pa.string(), "notes": pa.int32()})


def row(row_id: str, **changes) -> dict:
    given = {
        "row_id": row_id,
        "upload": "u1",
        "group": "g1",
        "split": TRAIN,
        "fold": -1,
        "included": True,
        "reason": "",
    }
    return given | {"weight": 1.0, "entry": "notes/m/ab/abc", "level": "Easy", "notes": 3} | changes


def table(*rows: dict) -> pa.Table:
    return pa.Table.from_pylist(list(rows), SCHEMA)


ROWS = table(
    row("a"),
    row("b", group="g2", split=VAL, level="Hard"),
    row("c", upload="u2", group="g2", split=VAL, level="Hard", included=False, reason="no_notes"),
    row("d", upload="u2", group="g3", split=NONE, level=None, included=False, reason="split_conflict"),
    row("e", upload="u3", group="g1"),
)


def write(out, rows: pa.Table) -> dict:
    return write_manifest(out, rows, where="m/manifest", schema=SCHEMA, params=SplitParams(), classes=("level",))


def test_groups_have_the_split_of_their_rows(tmp_path):
    write(tmp_path, ROWS)
    assert splits_of_groups(tmp_path) == {"g1": TRAIN, "g2": VAL}, "g3 has none"


def test_counts_are_exact(tmp_path):
    write(tmp_path, ROWS)
    counts = read_counts(tmp_path)
    assert {name: counts[name] for name in ("rows", "included", "excluded", "uploads")} == {
        "rows": 5,
        "included": 3,
        "excluded": 2,
        "uploads": 3,
    }
    assert counts["reasons"] == {"no_notes": 1, "split_conflict": 1}
    assert counts["splits"] == {
        "train": {"rows": 2, "groups": 1},
        "val": {"rows": 1, "groups": 1},
        "test": {"rows": 0, "groups": 0},
    }
    assert counts["classes"]["level"] == {
        "": {"rows": 1, "included": 0, "train": 0, "val": 0, "test": 0},
        "Easy": {"rows": 2, "included": 2, "train": 2, "val": 0, "test": 0},
        "Hard": {"rows": 2, "included": 1, "train": 0, "val": 1, "test": 0},
    }
    assert counts["params"] == {"val": 0.1, "test": 0.1, "folds": 0}


def test_rows_come_back_whole_and_by_column(tmp_path):
    write(tmp_path, ROWS)
    assert read_rows(tmp_path).equals(ROWS)
    assert read_rows(tmp_path, ["notes", "row_id"]).column_names == ["notes", "row_id"]
    with pytest.raises(UsageError, match=r"no columns \['nps'\]"):
        read_rows(tmp_path, ["nps"])
    with pytest.raises(UsageError, match="name the directory of a manifest"):
        read_rows(tmp_path / "elsewhere")


def test_no_uploads_make_a_valid_empty_manifest(tmp_path):
    manifest = write(tmp_path, SCHEMA.empty_table())
    assert (manifest["rows"], manifest["reasons"], manifest["classes"]) == (0, {}, {"level": {}})
    assert read_rows(tmp_path).num_rows == 0
    assert json.loads((tmp_path / "manifest.json").read_bytes()) == manifest


def test_the_same_rows_give_the_same_bytes_and_digest(tmp_path):
    made = []
    for name, rows in (("a", ROWS), ("b", pa.concat_tables([ROWS.slice(0, 2), ROWS.slice(2)])), ("c", ROWS.slice(1))):
        (tmp_path / name).mkdir()
        made.append(write(tmp_path / name, rows)["digests"]["rows"])
    assert made[0] == made[1] != made[2]
    assert (tmp_path / "a/manifest.json").read_bytes() == (tmp_path / "b/manifest.json").read_bytes()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"row_id": "a"}, "row 'a' is there twice; 2 such rows"),
        ({"included": False}, "row 'z' is left out without a reason or included with one"),
        ({"reason": "bpm"}, "row 'z' is left out without a reason or included with one"),
        ({"split": NONE}, "row 'z' has no split"),
        ({"split": 3}, "row 'z' has an unknown split"),
        ({"fold": -2}, "row 'z' has a fold below -1"),
        ({"weight": float("nan")}, "row 'z' has a weight that is negative or not finite"),
        ({"weight": -1.0}, "row 'z' has a weight that is negative or not finite"),
        ({"group": "g1", "split": TEST}, "1 groups are in more than one split: 'g1' in train and test"),
    ],
)
def test_a_broken_promise_names_the_row(changes, message):
    with pytest.raises(ContractError, match=f"m/manifest: {message}"):
        check_rows(pa.concat_tables([ROWS, table(row(**({"row_id": "z"} | changes)))]), SCHEMA, "m/manifest")


def test_other_columns_are_refused():
    with pytest.raises(ContractError, match=r"expected .*'level', 'notes'"):
        check_rows(ROWS.drop_columns(["notes"]), SCHEMA, "m/manifest")
    with pytest.raises(ContractError, match="with their types"):
        check_rows(ROWS.set_column(3, "split", ROWS["split"].cast(pa.int64())), SCHEMA, "m/manifest")


def test_classes_are_counted_over_any_column():
    assert count_rows(ROWS, ["notes", "upload"])["classes"]["notes"]["3"]["rows"] == 5
