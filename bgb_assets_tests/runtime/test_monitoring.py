import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from bgb_assets.runtime import monitoring
from bgb_assets.runtime.monitoring import Progress, count, counting


def test_counting_nests_and_ends() -> None:
    count("before")
    with counting() as outer:
        count("opens")
        with counting() as inner:
            count("bytes", 100)
        monitoring.add_counts({"opens": 2})
    count("after")
    assert outer == {"opens": 3, "bytes": 100}
    assert inner == {"bytes": 100}


def test_blocks_that_counted_the_same_end_each_for_itself() -> None:
    with counting() as outer:
        with counting() as inner:
            count("a")
        count("a")
    assert (outer["a"], inner["a"]) == (2, 1)


def test_threads_count_exactly() -> None:
    with counting() as counts, ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: [count("n") for _ in range(500)], range(16)))
    assert counts["n"] == 8000


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 100.0
        monkeypatch.setattr(monitoring.time, "monotonic", lambda: self.now_s)


def test_a_log_gets_a_line_now_and_then_and_one_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, lines = Clock(monkeypatch), []
    with Progress(100, "beatmap", lines.append, terminal=False) as progress:
        for step in range(100):
            clock.now_s += 0.25
            progress.advance("hit" if step < 50 else "quarantined" if step == 60 else "done")
    assert len(lines) == 6
    assert lines[2] == "beatmap: 60/100, 10 done, 50 hit, 0:15 so far, 1:00 left"
    assert lines[-1] == "beatmap: 100/100, 49 done, 50 hit, 1 quarantined, 0:25 so far"


def test_hits_do_not_shorten_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    with Progress(1000, "mri", lambda line: None, terminal=False) as progress:
        for _ in range(500):
            progress.advance("hit")
        assert progress.seconds_left() is None
        clock.now_s += 4
        progress.advance()
        assert progress.seconds_left() == 4 * 499


def test_an_unknown_total_and_an_interruption(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, lines = Clock(monkeypatch), []
    with pytest.raises(KeyboardInterrupt), Progress(None, "scan", lines.append, terminal=False) as progress:
        progress.advance()
        clock.now_s += 3700
        raise KeyboardInterrupt
    assert lines == ["scan: 1, 1 done, 1:01:40 so far; stopped by KeyboardInterrupt"]


def test_a_terminal_gets_a_bar_with_counts(capsys: pytest.CaptureFixture[str]) -> None:
    lines = []
    with Progress(3, "eeg", lines.append, terminal=True) as progress:
        for outcome in ("hit", "done", "quarantined"):
            progress.advance(outcome)
    shown = capsys.readouterr()
    assert "3/3" in shown.err
    assert "1 quarantined" in shown.err
    assert shown.out == ""
    assert lines == [progress.line()]


def test_rich_is_not_imported_without_a_bar() -> None:
    code = (
        "import sys; from bgb_assets.runtime.monitoring import Progress\n"
        "with Progress(1, 'a', print, terminal=False) as p: p.advance()\n"
        "sys.exit('rich' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0
