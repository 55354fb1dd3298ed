"""Which scripts measure a gate."""

import importlib.util
import re
from pathlib import Path

import pytest

from bgb_assets.commands import bench
from bgb_assets.runtime.errors import UsageError
from bgb_assets_tests.benchmarks import GATES

LISTED = [
    (modality, number, script)
    for modality, gates in GATES.items()
    for number, scripts in gates.items()
    for script in ((scripts,) if isinstance(scripts, str) else scripts)
]


@pytest.mark.parametrize(("modality", "number", "script"), LISTED)
def test_each_listed_script_holds_something_against_its_gate(modality: str, number: int, script: str) -> None:
    found = importlib.util.find_spec(f"{bench.BENCHMARKS}.{script}")
    assert found is not None
    assert found.origin is not None
    assert re.search(rf"\bgate\(\s*{number},", Path(found.origin).read_text("utf-8")), "it prints no result for it"


def test_a_gate_may_have_several_scripts_and_none_runs_twice() -> None:
    assert bench._scripts("eeg", [32]) == ["bench_eeg_features", "bench_eeg_detection"]
    assert bench._scripts("eeg", [26, 27, 32]) == ["bench_eeg_features", "bench_eeg_detection"]
    whole = bench._scripts("eeg", [])
    assert len(set(whole)) == len(whole)
    assert {"bench_eeg_start", "bench_eeg_windows", "bench_eeg_detection"} <= set(whole)


def test_what_nothing_measures_is_refused() -> None:
    with pytest.raises(UsageError, match=r"eeg: no gates \[99\]; there are 6, 21"):
        bench._scripts("eeg", [6, 99])
