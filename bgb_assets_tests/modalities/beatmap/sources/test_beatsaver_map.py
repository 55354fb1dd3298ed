import pytest

from bgb_assets.modalities.beatmap.sources.beatsaver_map import Filters, is_number, map_id, offer_of, path_of, read_map
from bgb_assets.runtime.errors import BadInput
from bgb_assets_tests.modalities.beatmap.beatsaver_server import score_of

HASH = "0123456789abcdef0123456789abcdef01234567"
VERSION = {
    "hash": HASH,
    "state": "Published",
    "createdAt": "2024-01-01T00:00:00Z",
    "downloadURL": "https://files.example/a.zip",
    "diffs": [{"characteristic": "Standard"}, {"characteristic": "One Saber"}],
}
DOCUMENT = {
    "id": "1a2b",
    "metadata": {"duration": 120},
    "stats": {"upvotes": 90, "downvotes": 10, "score": 0.85},
    "uploaded": "2024-01-01T00:00:00.123Z",
    "automapper": False,
    "declaredAi": "None",
    "ranked": True,
    "tags": ["tech", "dance"],
    "versions": [VERSION],
}


def with_stats(**stats):
    return read_map(DOCUMENT | {"stats": DOCUMENT["stats"] | stats})


def test_a_document_is_read():
    found = read_map(DOCUMENT)
    assert (found.id, found.hash, found.url) == ("1a2b", HASH, "https://files.example/a.zip")
    assert (found.score, found.upvotes, found.downvotes) == (0.85, 90, 10)
    assert found.characteristics == {"Standard", "OneSaber"}
    assert (found.ranked, found.curated, found.nsfw, found.automapper) == (True, False, False, False)


def test_what_is_left_out_is_null():
    bare = {"id": "1", "stats": {}, "versions": [{key: VERSION[key] for key in ("hash", "state", "downloadURL")}]}
    found = read_map(bare)
    assert (found.score, found.upvotes, found.ranked, found.declared_ai) == (None, None, None, None)
    offer = offer_of(bare)
    assert offer.popularity["score"] is None
    assert offer.facts["automapper"] is None


def test_the_newest_published_version_counts():
    older = VERSION | {"hash": "a" * 40, "createdAt": "2023-12-31T00:00:00Z"}
    unpublished = VERSION | {"hash": "b" * 40, "createdAt": "2025-01-01T00:00:00Z", "state": "Uploaded"}
    assert read_map(DOCUMENT | {"versions": [unpublished, older, VERSION]}).hash == HASH


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"id": None}, "no 'id'"),
        ({"id": "../../etc"}, "hexadecimal number, got '../../etc'"),
        ({"id": 17}, "'id' of the map's document is of the wrong kind: 17"),
        ({"versions": "none"}, "'versions' of the map's document is of the wrong kind"),
        ({"stats": {"score": 1.5}}, "from 0 to 1, got 1.5"),
        ({"stats": {"score": True}}, "wrong kind: True"),
        ({"stats": {"upvotes": "many"}}, "'upvotes' of the map's document is of the wrong kind"),
        ({"automapper": "no"}, "'automapper'"),
        ({"tags": {"a": 1}}, "'tags'"),
    ],
)
def test_wrong_documents_say_what_is_wrong(changes, reason):
    with pytest.raises(BadInput, match=reason):
        read_map(DOCUMENT | changes)


def test_what_cannot_be_read_is_offered_under_its_number_or_a_digest():
    named = offer_of(DOCUMENT | {"versions": []})
    assert named.path == "beatsaver.1a2b.zip"
    assert named.version.startswith("unusable-")
    assert named.document == DOCUMENT | {"versions": []}
    unnamed = offer_of({"name": "who am I"})
    assert unnamed.path.startswith("beatsaver.unnamed-")
    assert unnamed.path != offer_of({"name": "another"}).path


def test_the_offers_version_is_the_hash_and_nothing_that_changes():
    offer = offer_of(DOCUMENT)
    assert offer.version == HASH
    assert offer_of(DOCUMENT | {"stats": {"upvotes": 91, "downvotes": 10, "score": 0.86}}).version == HASH
    assert set(offer.facts) == {"source_id", "uploaded_at", "automapper", "declaredAi", "tags"}


def test_numbers_and_paths():
    assert map_id({"id": "1A2B"}) == "1a2b"
    assert path_of("1a2b") == "beatsaver.1a2b.zip"
    assert is_number("ffff")
    assert not is_number("")
    assert not is_number("unnamed-00")


def test_defaults_want_good_maps_by_people():
    assert Filters().accept(read_map(DOCUMENT))
    assert Filters().accept(with_stats(score=0.75, upvotes=5))
    assert not Filters().accept(with_stats(score=0.7499))
    assert not Filters().accept(with_stats(upvotes=4))
    for changes in ({"automapper": True}, {"declaredAi": "SageScore"}, {"nsfw": True}):
        assert not Filters().accept(read_map(DOCUMENT | changes))


def test_each_filter_can_be_lifted():
    assert Filters(automapper=True).accept(read_map(DOCUMENT | {"automapper": True}))
    assert Filters(ai=True).accept(read_map(DOCUMENT | {"declaredAi": "Full"}))
    assert Filters(nsfw=True).accept(read_map(DOCUMENT | {"nsfw": True}))


def test_a_bound_asks_for_a_number():
    unknown = with_stats(score=None, upvotes=None)
    assert not Filters().accept(unknown)
    assert not Filters(min_score=0).accept(unknown)
    assert Filters(min_score=0, min_upvotes=0).accept(unknown)
    assert not Filters(min_duration_s=121).accept(read_map(DOCUMENT))
    assert Filters(min_duration_s=120).accept(read_map(DOCUMENT))


@pytest.mark.parametrize(
    ("tags", "accepted"),
    [
        ("tech", True),
        ("tech,dance", True),
        ("tech,pop", False),
        ("tech,pop|dance", True),
        ("!pop", True),
        ("tech,!dance", False),
        ("!dance|tech", True),
        (",", True),
    ],
)
def test_tags_are_clauses_of_alternatives(tags, accepted):
    assert Filters(tags=tags).accept(read_map(DOCUMENT)) is accepted


def test_one_of_the_characteristics_is_enough():
    assert Filters(characteristics=("Lawless", "OneSaber")).accept(read_map(DOCUMENT))
    assert not Filters(characteristics=("Lawless",)).accept(read_map(DOCUMENT))


def test_the_sites_score_by_hand():
    assert score_of(0, 0) == 0.5
    assert score_of(4, 0) == pytest.approx(1 - 0.5 * 0.5)
    assert score_of(90, 10) == pytest.approx(0.9 - 0.4 * 2**-(3.5788819), abs=1e-6)
