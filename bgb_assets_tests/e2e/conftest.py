"""One live system that the tests of the live system share: starting one costs more than most of them."""

from collections.abc import Iterator

import pytest

from bgb_assets_tests.e2e.live import Live, live

CONFIG = """
[run]
workers = 0

[inbox]
settle_s = 1.0
interval_s = 2
"""


@pytest.fixture(scope="session")
def shared_live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Web UI and daemon over an empty data root."""
    data_root = tmp_path_factory.mktemp("shared_live") / "data"
    data_root.mkdir()
    (data_root / "config.toml").write_text(CONFIG)
    with live(data_root) as system:
        yield system
