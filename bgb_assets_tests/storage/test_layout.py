from pathlib import Path

import pytest

from bgb_assets.runtime.errors import UsageError
from bgb_assets.storage.layout import Layout, from_record, relative_to_root


def test_places(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    assert layout.location("raw", "toy", "ab" + "0" * 62) == f"raw/toy/ab/ab{'0' * 62}"
    assert layout.entry("raw", "toy", "abc") == tmp_path / "raw" / "toy" / "ab" / "abc"
    assert layout.uploads("toy") == tmp_path / "uploads" / "toy"
    assert layout.inbox("toy") == tmp_path / "inbox" / "toy"
    assert layout.overrides("toy") == tmp_path / "overrides" / "toy.yaml"
    assert layout.logs("toy", "abc") == tmp_path / "logs" / "toy" / "abc"
    hidden = (layout.temporary, layout.work, layout.catalog, layout.state)
    assert all(path.parent == tmp_path and path.name.startswith(".") for path in hidden)


def test_recorded_paths_move_with_the_root(tmp_path: Path) -> None:
    inside = tmp_path / "data" / "inbox" / "toy"
    inside.mkdir(parents=True)
    text = relative_to_root(inside, tmp_path / "data")
    assert text == "inbox/toy"
    assert from_record(text, tmp_path / "moved") == tmp_path / "moved" / "inbox" / "toy"
    outer = relative_to_root(tmp_path / "outer", tmp_path / "data")
    assert from_record(outer, tmp_path / "moved") == (tmp_path / "outer").resolve()


def test_recorded_path_that_climbs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="climbs out"):
        from_record("inbox/../../etc", tmp_path)
