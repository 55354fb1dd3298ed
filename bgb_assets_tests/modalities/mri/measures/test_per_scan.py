import dataclasses
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bgb_assets.modalities.mri.measures.per_scan import (
    make_evaluation,
    read_per_scan,
    require_comparable,
    write_per_scan,
)
from bgb_assets.runtime.errors import UsageError
from bgb_assets_tests.modalities.mri.measures.scored_case import evaluation, figures, scored


def test_predictions_are_read_as_they_were_written(tmp_path: Path) -> None:
    made = evaluation()
    missing = dataclasses.replace(made.scans[0], figures=figures(0.0, avd=None, hd95_mm=None))
    made = dataclasses.replace(made, scans=(missing, *made.scans[1:]))
    write_per_scan(tmp_path, made)
    path = tmp_path / "per_scan.parquet"
    assert read_per_scan(path) == made
    table = pq.read_table(path)
    assert {table.schema.field(name).type for name in ("tp", "fp", "fn", "tn")} == {pa.int64()}
    assert set(table.column("split_digest").to_pylist()) == {"d" * 64}
    first = path.read_bytes()
    write_per_scan(tmp_path, made)
    assert path.read_bytes() == first


def test_order_of_predictions_does_not_count() -> None:
    made = evaluation()
    assert make_evaluation("a", "native", "d" * 64, made.scans[::-1]) == made


def test_a_scan_is_tested_in_one_fold_and_once_a_run() -> None:
    one = scored(0, 42, figures(0.5))
    with pytest.raises(UsageError, match="'s000' is there 2 times in fold 0, restart 42"):
        make_evaluation("a", "native", "d", [one, one])
    with pytest.raises(UsageError, match="'s000' is tested in outer folds 0 and 1"):
        make_evaluation("a", "native", "d", [one, dataclasses.replace(one, outer_fold=1, restart=43)])


def test_files_that_say_too_little_or_too_much_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "per_scan.parquet"
    with pytest.raises(UsageError, match="run the evaluation first"):
        read_per_scan(path)
    write_per_scan(tmp_path, evaluation())
    table = pq.read_table(path)
    pq.write_table(table.drop_columns(["grid"]), path)
    with pytest.raises(UsageError, match="columns are"):
        read_per_scan(path)
    write_per_scan(tmp_path, evaluation("b"))
    pq.write_table(pa.concat_tables([table, pq.read_table(path)]), path)
    with pytest.raises(UsageError, match="of one variant, grid, scorer and split"):
        read_per_scan(path)


@pytest.mark.parametrize("name", ["grid", "split_digest", "scorer_version"])
def test_only_what_was_scored_in_one_way_is_compared(name: str) -> None:
    require_comparable(evaluation("a"), evaluation("b"))
    with pytest.raises(UsageError, match=f"a and b cannot be compared: {name} "):
        require_comparable(evaluation("a"), dataclasses.replace(evaluation("b"), **{name: "another"}))


def test_only_the_same_scans_are_compared() -> None:
    with pytest.raises(UsageError, match=r"1 scans were scored for one of them only, first 's023'"):
        require_comparable(evaluation("a"), evaluation("b", scans=23))
