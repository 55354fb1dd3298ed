"""Audits are asked once per entry and remembered; before the first entry they say so."""

import dataclasses
from pathlib import Path

import pytest

from bgb_assets.engine.audit import audits
from bgb_assets_tests import toy
from bgb_assets_tests.conftest import MakeChain
from bgb_assets_tests.driving import everything

CALLS: list[Path] = []


def audit(directory: Path, root: Path) -> list[str]:
    """Complain of every entry, and note the call."""
    assert directory.is_relative_to(root)
    CALLS.append(directory)
    return ["too round"]


AUDITED = dataclasses.replace(
    toy.MODALITY,
    stages=tuple(
        dataclasses.replace(stage, audits={"shape": f"{__name__}:audit"}) if stage.name == "manifest" else stage
        for stage in toy.MODALITY.stages
    ),
)


@pytest.fixture(autouse=True)
def _no_calls() -> None:
    CALLS.clear()


def test_only_declared_audits_are_there() -> None:
    assert set(audits(AUDITED)) == {("manifest", "shape")}
    assert audits(toy.MODALITY) == {}


def test_nothing_to_audit_is_a_problem(make_chain: MakeChain) -> None:
    assert audits(AUDITED)["manifest", "shape"](make_chain(AUDITED))["problems"] == ["toy/manifest was never made"]
    assert CALLS == []


def test_an_entry_is_audited_once(data_root: Path, make_chain: MakeChain) -> None:
    toy.write_upload(data_root / "inbox" / "toy" / "one")
    everything(make_chain(AUDITED))
    ask = audits(AUDITED)["manifest", "shape"]
    assert [ask(make_chain(AUDITED))["problems"] for _ in range(2)] == [["too round"]] * 2
    assert len(CALLS) == 1
    toy.write_upload(data_root / "inbox" / "toy" / "two", "5 6")
    everything(make_chain(AUDITED))
    ask(make_chain(AUDITED))
    assert len(CALLS) == 2
