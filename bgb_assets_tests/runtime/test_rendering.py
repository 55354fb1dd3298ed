import base64
import io
from html.parser import HTMLParser

import matplotlib.figure
import numpy as np
import pytest
from PIL import Image

from bgb_assets.runtime.errors import UsageError
from bgb_assets.runtime.rendering import THEMES, bounded_data_uri, page, render_png, rendered

INKS = {theme: tuple(bytes.fromhex(ink[1:])) for theme, (_, ink) in THEMES.items()}
BACKGROUNDS = {theme: tuple(bytes.fromhex(background[1:])) for theme, (background, _) in THEMES.items()}


def figure(width=8.0):
    """A figure with text everywhere that text can be, and lines in black and in red."""
    drawn = matplotlib.figure.Figure(figsize=(width, 3), layout="constrained")
    axes = drawn.subplots()
    axes.plot([0, 1], [0, 1], color="black", linewidth=4, label="black")
    axes.plot([0, 1], [1, 0], color="#ff0000", linewidth=4, label="red")
    axes.legend()
    axes.set(title="title", xlabel="x (s)", ylabel="y")
    axes.text(0.5, 0.1, "inside")
    drawn.suptitle("above")
    return drawn


def pixels(png):
    return Image.open(io.BytesIO(png)).convert("RGB")


def share_near(png, color, distance=12):
    values = np.asarray(pixels(png), int)
    return float((np.abs(values - np.array(color)).max(axis=-1) <= distance).mean())


@pytest.mark.parametrize("width", [8.0, 5.0])
def test_a_picture_is_800_pixels_wide_whatever_its_inches(width):
    assert {pixels(png).width for png in rendered("x", figure(width)).png.values()} == {800}


@pytest.mark.parametrize("theme", THEMES)
def test_black_becomes_the_ink_and_other_colors_stay(theme):
    png = rendered("x", figure()).png[theme]  # both themes of one figure, one after the other
    other = next(name for name in THEMES if name != theme)
    assert share_near(png, BACKGROUNDS[theme]) > 0.7
    assert share_near(png, INKS[theme]) > 0.01
    assert share_near(png, (255, 0, 0)) > 0.005
    assert share_near(png, INKS[other], 4) < 0.001


@pytest.mark.parametrize("theme", THEMES)
def test_the_background_is_exactly_that_of_the_page(theme):
    noise = figure()
    noise.axes[0].imshow(np.random.default_rng(0).random((90, 90)), cmap="magma", aspect="auto")
    assert pixels(render_png(noise, theme)).getpixel((0, 0)) == BACKGROUNDS[theme]


def test_the_same_figure_gives_the_same_bytes():
    assert rendered("x", figure()).png == rendered("x", figure()).png
    assert render_png(figure(), "light") == render_png(figure(), "light")


def test_a_large_picture_is_made_narrower_until_it_fits():
    noise = matplotlib.figure.Figure(figsize=(8, 8))
    noise.subplots().imshow(np.random.default_rng(0).random((800, 800)), cmap="hsv")
    text = bounded_data_uri(noise, "light", 100_000)
    assert len(text) <= 100_000
    assert 200 <= pixels(base64.b64decode(text.partition(",")[2])).width < 800
    assert len(bounded_data_uri(noise, "light", 10_000_000)) > 200_000
    with pytest.raises(UsageError, match="more than 1,000"):
        bounded_data_uri(noise, "light", 1_000)


class Seen(HTMLParser):
    def __init__(self):
        super().__init__()
        self.texts, self.images = [], []

    def handle_starttag(self, tag, attributes):
        if tag == "img":
            self.images.append(dict(attributes))

    def handle_data(self, data):
        self.texts.append(data.strip())


def test_a_page_holds_both_themes_and_escapes_names():
    picture = rendered("notes-mel", figure())
    seen = Seen()
    seen.feed(page("<b>", [("a & <i>", [picture]), ("nothing", [])], "1 of 2 <songs>"))
    assert [image["class"] for image in seen.images] == ["light", "dark"]
    assert [base64.b64decode(image["src"].partition(",")[2]) for image in seen.images] == list(picture.png.values())
    assert "<h2></h2>" not in page("one", [("", [picture])])
    assert {"<b>", "a & <i>", "1 of 2 <songs>", "nothing to draw yet", "notes-mel"} <= set(seen.texts)
