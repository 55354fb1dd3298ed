import dataclasses
from pathlib import Path

import pytest

from bgb_assets.engine.pictures import corpus_entries, pictures_of_corpus, pictures_of_upload
from bgb_assets.runtime.errors import UsageError
from bgb_assets_tests import toy

DRAWN = dataclasses.replace(toy.MODALITY, pictures="bgb_assets_tests.engine.test_pictures:told")


def told(stage, entries, root):
    """Stand for figures: the stages that could be drawn from."""
    assert all(entries[name].is_relative_to(root) for name in entries)
    assert entries[stage].is_dir()
    return {"seen": sorted(entries)}


def test_pictures_of_an_upload_may_be_drawn_from_all_its_entries(built, make_chain):
    drawn = dict(pictures_of_upload(make_chain(DRAWN), "first"))
    stages = ["cache", "features", "notes", "raw"]
    assert drawn.keys() == {f"{stage}-seen" for stage in stages}
    for seen in drawn.values():
        assert [name for name in seen if "/" not in name] == stages
        assert {name.partition("/")[0] for name in seen if "/" in name} == {"features"}, "whose parts lie apart"


def test_the_corpus_is_drawn_with_each_model_under_its_name(built, make_chain):
    drawn = dict(pictures_of_corpus(make_chain(DRAWN)))
    fan_ins = ["manifest", "tokens"]
    model = f"model-{toy.MODALITY.default_variant}-seen"
    stages = {title: [name for name in seen if "/" not in name] for title, seen in drawn.items()}
    assert stages == {
        "manifest-seen": fan_ins,
        "tokens-seen": fan_ins,
        model: ["logs", "manifest", "model", "tokens"],
    }
    assert list(drawn) == ["manifest-seen", "tokens-seen", model]


def test_what_is_not_there_is_left_out(data_root, inbox, make_chain):
    assert corpus_entries(make_chain(DRAWN)) == {}
    assert list(pictures_of_corpus(make_chain(DRAWN))) == []
    with pytest.raises(UsageError, match="no upload 'first'"):
        list(pictures_of_upload(make_chain(DRAWN), "first"))


def test_bytes_that_were_made_room_for_are_left_out(built, make_chain):
    chain = make_chain(DRAWN)
    features = chain.records_of(chain.uploads.require("first"))["features"]
    gone: Path = chain.store.directory(features)
    evicted = dataclasses.replace(features, evicted=True)
    chain.records_of = lambda upload: {"features": evicted}
    assert gone.is_dir()
    assert list(pictures_of_upload(chain, "first")) == []


def test_a_modality_without_pictures_draws_none(built, make_chain):
    chain = make_chain(toy.MODALITY)
    assert list(pictures_of_corpus(chain)) == list(pictures_of_upload(chain, "first")) == []
