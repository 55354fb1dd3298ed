import base64
import dataclasses
import io
import re
import shutil

import dagster as dg
import matplotlib.figure
import numpy as np
import pytest
from PIL import Image

from bgb_assets.modalities.registry import modality
from bgb_assets.orchestration.pictures import MAX_BYTES, WARNING
from bgb_assets_tests import toy
from bgb_assets_tests.fixtures import REPOSITORY
from bgb_assets_tests.orchestration.in_process import Location

HERE = "bgb_assets_tests.orchestration.test_pictures"
IMAGE = re.compile(r"!\[(?P<title>[\w-]+)\]\(data:image/png;base64,(?P<data>[A-Za-z0-9+/=]+)\)")


def noisy(stage, entries, root):
    """Draw what no palette makes small, for one stage."""
    figure = matplotlib.figure.Figure(figsize=(8, 8))
    figure.subplots().imshow(np.random.default_rng(0).random((800, 800)), cmap="hsv")
    return {"noise": figure} if stage == "manifest" and entries["manifest"].is_relative_to(root) else {}


def learned(stage, entries, root):
    """Draw something for a model alone, which has logs beside its entries."""
    drawn = stage == "model" and {"manifest", "tokens", "model", "logs"} <= set(entries)
    return {"learned": matplotlib.figure.Figure(figsize=(8, 2))} if drawn else {}


def broken(stage, entries, root):
    """Draw nothing."""
    raise ZeroDivisionError("no bins")


def images(event: dg.AssetMaterialization) -> dict[str, Image.Image]:
    """Return picture name -> what is shown, each of them small enough."""
    found = {}
    for name, value in event.metadata.items():
        if isinstance(value, dg.MarkdownMetadataValue):
            match = IMAGE.fullmatch(value.value)
            assert match is not None
            assert len(value.value) - len(f"![{match['title']}]()") <= MAX_BYTES
            found[name] = Image.open(io.BytesIO(base64.b64decode(match["data"])))
    return found


def test_manifest_and_tokens_of_songs_show_what_they_hold(instance, data_root):
    for song in ("song_0001", "song_0003"):
        samples = REPOSITORY / "data" / "samples" / "beatmap"
        shutil.copytree(samples / song, data_root / "inbox" / "beatmap" / song)
    location = Location(modality("beatmap"), instance)
    location.everything()
    (manifest,), (tokens,) = (location.events(stage).values() for stage in ("manifest", "tokens"))
    assert set(images(manifest)) == {"picture_counts", "picture_timing", "picture_pace"}
    assert set(images(tokens)) == {"picture_lengths", "picture_classes"}
    assert {image.width for image in (*images(manifest).values(), *images(tokens).values())} == {800}
    assert not any(images(event) for stage in ("features", "notes") for event in location.events(stage).values())


def test_a_picture_that_is_too_large_is_shown_smaller(instance, toy_dir, inbox):
    toy.write_upload(inbox / "one", "1 2 3", "a")
    location = Location(dataclasses.replace(toy.MODALITY, pictures=f"{HERE}:noisy"), instance)
    location.everything()
    shown = images(location.events("manifest")[""])
    assert 200 <= shown["picture_noise"].width < 800
    assert images(location.events("tokens")[""]) == {}


@pytest.mark.parametrize("name", ["broken", "missing"])
def test_a_picture_that_fails_is_said_and_fails_nothing(instance, toy_dir, inbox, name):
    toy.write_upload(inbox / "one", "1 2 3", "a")
    location = Location(dataclasses.replace(toy.MODALITY, pictures=f"{HERE}:{name}"), instance)
    location.everything()
    metadata = location.events("manifest")[""].metadata
    assert metadata[WARNING].value.startswith("not all pictures could be drawn: ")
    assert ("ZeroDivisionError: no bins" in metadata[WARNING].value) == (name == "broken")
    assert metadata["outcome"].value == "built"


def test_a_model_shows_its_pictures(instance, toy_dir, inbox):
    toy.write_upload(inbox / "one", "1 2 3", "a")
    location = Location(dataclasses.replace(toy.MODALITY, pictures=f"{HERE}:learned"), instance)
    location.everything()
    variant = toy.MODALITY.default_variant
    location.train(variant)
    assert set(images(location.events("model")[variant])) == {"picture_learned"}
