from dataclasses import replace

import pytest

from bgb_assets.engine.wanted import facets_read, for_upload, wanted
from bgb_assets.modalities.contract import Reads
from bgb_assets.runtime.errors import ConfigError, ContractError
from bgb_assets.storage.records import Record
from bgb_assets.storage.uploads import DELIVERED, UploadRecord
from bgb_assets_tests.toy import MODALITY, CacheParams

UPLOAD = UploadRecord("toy", "k", "inbox", "k", {}, facets={"a": "1", "b": "2"})
RAW = Record("toy", "raw", "i", {}, {"numbers": "3", "words": "4"}, {})


def test_only_declared_facets_are_read() -> None:
    assert facets_read(MODALITY.stage("raw"), UPLOAD, {}) == {"a": "1", "b": "2"}
    assert facets_read(MODALITY.stage("cache"), UPLOAD, {"raw": RAW}) == {"numbers": "3"}


def test_facets_are_read_by_pattern() -> None:
    stage = replace(MODALITY.stage("cache"), reads=(Reads("raw", ("*",)), Reads("upload", ("b", "facts"))))
    assert facets_read(stage, UPLOAD, {"raw": RAW}) == {
        "numbers": "3",
        "words": "4",
        "b": "2",
        "facts": UPLOAD.all_facets["facts"],
    }


def test_unrecognised_upload_is_told_apart_by_its_bytes() -> None:
    first = replace(UPLOAD, facets={DELIVERED: "5"})
    assert facets_read(MODALITY.stage("raw"), first, {}) == {DELIVERED: "5"}


def test_one_name_from_two_sources_must_agree() -> None:
    stage = replace(MODALITY.stage("cache"), reads=(Reads("raw", ("*",)), Reads("upload", ("a",))))
    same = replace(RAW, facets={"a": "1"})
    assert facets_read(stage, UPLOAD, {"raw": same}) == {"a": "1"}
    with pytest.raises(ContractError, match="reads facet 'a' from two sources that differ"):
        facets_read(stage, UPLOAD, {"raw": replace(RAW, facets={"a": "9"})})


def test_identity_names_stage_version_params_and_facets() -> None:
    parts = wanted("toy", MODALITY.stage("cache"), {"numbers": "3"})
    assert parts.as_json() == {
        "format": 1,
        "stage": "cache/toy",
        "code_version": "1",
        "params": {"scale": 1},
        "facets": {"numbers": "3"},
    }


def test_override_is_laid_over_one_uploads_params() -> None:
    stage = MODALITY.stage("cache")
    overrides = {"k": {"cache": {"scale": 4}}}
    assert for_upload(stage, "k", overrides).params == CacheParams(scale=4)
    assert for_upload(stage, "other", overrides) is stage
    assert for_upload(MODALITY.stage("raw"), "k", overrides) is MODALITY.stage("raw")
    with pytest.raises(ConfigError, match="override of 'k', cache scale: must be int"):
        for_upload(stage, "k", {"k": {"cache": {"scale": "4"}}})
