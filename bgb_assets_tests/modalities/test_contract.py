"""A modality that does not fit together is refused when it is described, with what is wrong and where."""

import dataclasses
from dataclasses import dataclass, replace
from typing import Any

import pytest

from bgb_assets.modalities import registry
from bgb_assets.modalities.contract import (
    FAN_IN_STAGES,
    PER_UPLOAD_STAGES,
    STAGE_NAMES,
    Parts,
    Reads,
    iterate_reads,
    matches,
)
from bgb_assets.runtime.errors import ContractError, UsageError
from bgb_assets_tests import toy
from bgb_assets_tests.toy import with_stage


@dataclass
class NotFrozen:
    """Params that could change under an identity."""

    size: int = 1


def test_stages_must_be_the_seven_in_order() -> None:
    stages = toy.MODALITY.stages
    for wrong in (stages[::-1], stages[:-1], (*stages, stages[-1]), (stages[1], stages[0], *stages[2:]), ()):
        with pytest.raises(ContractError, match=r"modality 'toy': stages must be \('raw', 'cache'.*in this order, got"):
            replace(toy.MODALITY, stages=wrong)


def test_stage_that_is_misnamed_is_refused() -> None:
    stages = [replace(stage, name="feature") if stage.name == "features" else stage for stage in toy.MODALITY.stages]
    with pytest.raises(ContractError, match=r"in this order, got .*'feature'"):
        replace(toy.MODALITY, stages=tuple(stages))


@pytest.mark.parametrize("facets", [("number",), ("numbers*",), ("*",), ("numbers", "other")])
def test_facets_must_be_published_letter_for_letter(facets: tuple[str, ...]) -> None:
    with pytest.raises(
        ContractError, match=r"stage 'cache': reads facets .* that 'raw' does not publish; it publishes"
    ):
        with_stage(toy.MODALITY, "cache", reads=(Reads("raw", facets),))


def test_facets_of_the_upload_must_be_declared_and_facts_are_always_there() -> None:
    with pytest.raises(ContractError, match="stage 'raw': reads facets \\['c'\\] that 'upload' does not publish"):
        with_stage(toy.MODALITY, "raw", reads=(Reads("upload", ("a", "c")),))
    assert with_stage(toy.MODALITY, "raw", reads=(Reads("upload", ("a", "facts")),)).stage("raw").reads


@pytest.mark.parametrize("source", ["notes", "features", "raws", ""])
def test_only_earlier_stages_can_be_read(source: str) -> None:
    with pytest.raises(ContractError, match=f"stage 'features': reads {source!r}, which is not an earlier stage"):
        with_stage(toy.MODALITY, "features", reads=(Reads(source, ()),))


@pytest.mark.parametrize("params", [NotFrozen(), toy.RawParams, {"lower": True}, 3])
def test_params_must_be_a_frozen_dataclass_with_values(params: object) -> None:
    with pytest.raises(ContractError, match="stage 'raw': params must be an instance of a frozen dataclass, got"):
        with_stage(toy.MODALITY, "raw", params=params)
    with pytest.raises(ContractError, match="variant 'sum': params must be an instance of a frozen dataclass, got"):
        replace(toy.MODALITY, variants={"sum": params})


def test_default_variant_must_be_one_of_them() -> None:
    with pytest.raises(ContractError, match=r"default variant 'none' is not in \('sum', 'square'\)"):
        replace(toy.MODALITY, default_variant="none")


@pytest.mark.parametrize("text", ["", "package.module", "package.module:", ":name", "a b:c", "module:a.b", "1a:b"])
@pytest.mark.parametrize("field", ["discover", "fingerprint", "cost_bytes", "tables", "synth"])
def test_functions_are_named_by_import_string(field: str, text: str) -> None:
    with pytest.raises(ContractError, match=r"is not of the form 'package.module:name'"):
        replace(toy.MODALITY, **{field: text})
    with pytest.raises(ContractError, match=r"stage 'notes': .* is not of the form 'package.module:name'"):
        with_stage(toy.MODALITY, "notes", run=text)


def test_stage_is_found_by_name() -> None:
    assert toy.MODALITY.stage("notes").name == "notes"
    with pytest.raises(ContractError, match="toy: no stage 'note'; there are raw, cache"):
        toy.MODALITY.stage("note")


def test_four_stages_are_per_upload_and_three_fan_in() -> None:
    assert (*PER_UPLOAD_STAGES, *FAN_IN_STAGES) == STAGE_NAMES
    assert tuple(stage.name for stage in toy.MODALITY.per_upload) == PER_UPLOAD_STAGES
    assert tuple(stage.name for stage in toy.MODALITY.stages if stage.fan_in) == FAN_IN_STAGES


def test_description_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        toy.MODALITY.name = "other"
    with pytest.raises(dataclasses.FrozenInstanceError):
        toy.MODALITY.stages[0].code_version = "2"


def test_patterns_match_whole_names_with_case() -> None:
    assert matches("difficulty.Standard.Easy", ("audio", "difficulty.*"))
    assert not matches("Audio", ("audio",))
    assert not matches("audio.more", ("audio",))
    assert not matches("audio", ())


def test_declarations_for_one_source_keep_their_order() -> None:
    stage = toy.MODALITY.stage("notes")
    assert [read.source for read in iterate_reads(stage, "raw")] == ["raw"]
    assert list(iterate_reads(stage, "upload")) == []


def test_registry_knows_its_modalities_by_name() -> None:
    assert tuple(modality.name for modality in registry.modalities()) == registry.NAMES
    with pytest.raises(UsageError, match="no modality 'toy'; there are beatmap"):
        registry.modality("toy")


@pytest.mark.parametrize(
    "changes",
    [
        {"parts": Parts("toy.plan", f"{toy.MODULE}:features_part")},
        {"parts": Parts(f"{toy.MODULE}:plan_features", "toy part")},
        {"audits": {"schema": "audit"}},
    ],
)
def test_functions_of_parts_and_audits_are_named_by_import_string(changes: dict[str, Any]) -> None:
    with pytest.raises(ContractError, match=r"stage 'features': .* is not of the form 'package\.module:name'"):
        with_stage(toy.MODALITY, "features", **changes)


@pytest.mark.parametrize("field", ["pictures", "file_pictures"])
def test_pictures_are_named_by_import_string(field: str) -> None:
    with pytest.raises(ContractError, match="modality 'toy': 'report' is not of the form"):
        replace(toy.MODALITY, **{field: "report"})
    assert replace(toy.MODALITY, **{field: f"{toy.MODULE}:pictures"})
