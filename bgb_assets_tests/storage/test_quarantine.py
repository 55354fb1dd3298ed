from pathlib import Path

from bgb_assets.storage.quarantine import CRASH_RETRIES, Quarantine, Rejection


def row(identity: str, kind: str = "input", reason: str = "r") -> Rejection:
    return Rejection(identity, "toy", "raw", f"key_{identity}", kind, reason, "mend it")


def test_rows_are_written_and_dropped(tmp_path: Path) -> None:
    quarantine = Quarantine(tmp_path / "toy")
    assert quarantine.identities() == set()
    assert list(quarantine.rows()) == []
    quarantine.add(row("b"))
    quarantine.add(row("a"))
    again = Quarantine(tmp_path / "toy")
    assert [held.identity for held in again.rows()] == ["a", "b"]
    assert again.get("a") == row("a")
    assert again.identities() == {"a", "b"}
    assert again.remove("a")
    assert not again.remove("a")
    assert again.get("a") is None


def test_crash_is_retried_twice_and_input_never(tmp_path: Path) -> None:
    quarantine = Quarantine(tmp_path)
    assert not quarantine.add(row("a")).retried
    assert [quarantine.add(row("b", "crash")).retried for _ in range(CRASH_RETRIES + 1)] == [True, True, False]
    assert quarantine.add(row("b", "input", "other")).attempts == 1, "another kind counts anew"
