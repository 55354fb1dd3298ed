import pickle
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bgb_assets.modalities.mri.sources import spool
from bgb_assets.modalities.mri.sources.spool import Lay, Spool


class Group:
    """A row group whose reads are counted; each row has one file of ten bytes."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []

    def read(self, rows: list[int]) -> Iterator[tuple[int, Lay]]:
        self.asked.append(rows)
        for row in rows:
            yield row, lambda folder, row=row: (folder / "image0").write_text(f"{row:10d}")


def test_a_row_group_is_read_once_for_all_rows_that_are_asked_for(tmp_path: Path) -> None:
    group, held = Group(), Spool()
    held.expect("g", [1, 4, 6])
    with ThreadPoolExecutor(3) as pool:
        taken = list(pool.map(lambda row: held.take(tmp_path, "g", row, group.read), [1, 4, 6]))
    assert [int((place / "image0").read_text()) for place in taken] == [1, 4, 6]
    assert len(group.asked) <= 3
    assert group.asked[0] == sorted(group.asked[0])


def test_in_order_one_read_is_enough(tmp_path: Path) -> None:
    group, held = Group(), Spool()
    held.expect("g", [1, 4, 6])
    for row in (1, 4, 6):
        held.take(tmp_path, "g", row, group.read)
    assert group.asked == [[1, 4, 6]]


def test_no_more_than_a_bound_is_laid_down_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "AHEAD_BYTES", 15)
    group, held = Group(), Spool()
    held.expect("g", range(6))
    place = held.take(tmp_path, "g", 0, group.read)
    assert sorted(path.name for path in place.parent.iterdir()) == ["0", "1"]
    held.take(tmp_path, "g", 2, group.read)
    assert group.asked == [[0, 1, 2, 3, 4, 5], [2, 3, 4, 5]]


def test_another_version_of_the_file_is_another_group(tmp_path: Path) -> None:
    group, held = Group(), Spool()
    assert held.take(tmp_path, "f v1 0", 0, group.read) != held.take(tmp_path, "f v2 0", 0, group.read)


def test_a_copy_in_a_worker_reads_the_row_it_is_asked_for(tmp_path: Path) -> None:
    held = Spool()
    held.expect("g", [0, 1])
    group = Group()
    pickle.loads(pickle.dumps(held)).take(tmp_path, "g", 1, group.read)
    assert group.asked == [[1]]


def test_of_large_groups_one_is_read_at_a_time(tmp_path: Path) -> None:
    held, reading, most = Spool(), [], []

    def read(rows: list[int]) -> Iterator[tuple[int, Lay]]:
        reading.append(1)
        most.append(len(reading))
        time.sleep(0.02)
        yield rows[0], lambda folder: (folder / "image0").write_text("1")
        reading.pop()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda group: held.take(tmp_path, group, 0, read, is_large=True), "abcd"))
    assert most == [1, 1, 1, 1]
