import pytest

from bgb_assets.modalities.beatmap.formats.naming import characteristic_name, difficulty_name, safe_name


@pytest.mark.parametrize(
    "alias", ["ExpertPlus", "expertplus", "Expert Plus", "expert_plus", "Expert+", "ex+", "EXPERT-PLUS"]
)
def test_every_spelling_of_expert_plus_is_one(alias):
    assert difficulty_name(alias) == "ExpertPlus"


def test_a_rank_decides_only_where_the_name_is_unknown():
    assert difficulty_name("Lunatic", 7) == "Expert"
    assert difficulty_name("easy", 9) == "Easy"
    assert difficulty_name("Lunatic", 4) is None
    assert difficulty_name("Lunatic") is None


def test_known_characteristics_have_one_name_and_others_are_kept():
    assert characteristic_name("one saber") == "OneSaber"
    assert characteristic_name("360degree") == "360Degree"
    assert characteristic_name("Björn's Set") == "Björn's Set"


def test_names_cannot_leave_a_directory():
    assert safe_name("../ä.b") == "%2E%2E%2F%C3%A4%2Eb"
    assert safe_name("One_Saber-1") == "One_Saber-1"
