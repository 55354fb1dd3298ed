from pathlib import Path

import pytest

from bgb_assets.engine.guards import check_free_space, check_quarantined, raise_if_fatal
from bgb_assets.runtime.errors import BgbError, ContractError, ResourceError, TooManyQuarantined
from bgb_assets.runtime.executor import Failure
from bgb_assets.runtime.settings import RunSettings, Settings
from bgb_assets.storage.quarantine import Rejection

ROW = Rejection("i", "toy", "raw", "k", "input", "wrong", "mend it")


@pytest.mark.parametrize(
    ("rejected", "total", "fails"), [(10, 10, False), (11, 11, True), (50, 1000, False), (51, 1000, True)]
)
def test_more_than_ten_and_five_percent_fail(rejected: int, total: int, fails: bool) -> None:
    if not fails:
        check_quarantined("toy", [ROW] * rejected, total, RunSettings())
        return
    with pytest.raises(TooManyQuarantined, match=f"{rejected} of {total} uploads .* `bgb quarantine list toy`"):
        check_quarantined("toy", [ROW] * rejected, total, RunSettings())


def test_full_disk_refuses_to_start(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "new", "test")
    check_free_space(settings, RunSettings(min_free_bytes=0))
    with pytest.raises(ResourceError, match="bgb cache prune"):
        check_free_space(settings, RunSettings(min_free_bytes=1 << 62))


@pytest.mark.parametrize(
    ("kind", "error_type", "raised"),
    [
        ("resource", "OSError", ResourceError),
        ("bug", "ContractError", ContractError),
        ("bug", "StoreError", BgbError),
        ("bug", "KeyError", BgbError),
    ],
)
def test_what_is_not_one_uploads_fault_stops_the_run(kind, error_type: str, raised: type[Exception]) -> None:
    with pytest.raises(raised, match="toy 'k': it broke"):
        raise_if_fatal(Failure(kind, error_type, "it broke", "it broke", "mend it"), "toy 'k'")


def test_crash_is_one_uploads_fault() -> None:
    raise_if_fatal(Failure("crash", "WorkerDied", "killed", "killed", "run again"), "toy 'k'")
