from pathlib import Path

from bgb_assets.storage.heads import Heads


def test_heads_move_and_remember_one_before(tmp_path: Path) -> None:
    heads = Heads(tmp_path / "state" / "toy.json")
    assert heads.all() == {}
    assert heads.get("manifest") is None
    heads.move("manifest", "a")
    heads.move("model/sum", "m")
    heads.move("manifest", "b")
    head = Heads(tmp_path / "state" / "toy.json").get("manifest")
    assert head is not None
    assert (head.identity, head.previous) == ("b", "a")
    assert head.moved_s > 0
    heads.move("manifest", "b")
    assert heads.get("manifest") == head, "nothing moved"


def test_dropped_head_is_forgotten(tmp_path: Path) -> None:
    heads = Heads(tmp_path / "toy.json")
    heads.move("manifest", "a")
    heads.move("tokens", "t")
    heads.drop("manifest")
    heads.drop("never")
    assert set(heads.all()) == {"tokens"}
