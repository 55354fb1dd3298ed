"""Pictures as files: figures to PNG, light and dark, and one page that holds many and needs nothing else.

Belongs here: rendering what others drew. Does not belong here: drawing (each modality's `report`), finding what to
draw (`engine.pictures`).
"""

import base64
import html
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bgb_assets.runtime.errors import UsageError

WIDTH_PIXELS = 800
THEMES: Mapping[str, tuple[str, str]] = {"light": ("#ffffff", "#1b1b1b"), "dark": ("#16181d", "#e6e6e6")}
"""Theme -> (background, ink)."""

_COLORS = 256
_NARROWEST_PIXELS = 200
_INKS = frozenset({"#000000", *(ink for _, ink in THEMES.values())})
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>{title}</title><style>
body{{font:15px/1.5 system-ui,sans-serif;max-width:820px;margin:2em auto;padding:0 1em;background:#fff;color:#1b1b1b}}
h2{{margin-top:2em}} figure{{margin:1em 0}} figcaption{{font-size:13px;opacity:.7}}
img{{max-width:100%;display:block}} img.dark{{display:none}}
@media (prefers-color-scheme: dark){{
body{{background:#16181d;color:#e6e6e6}} img.dark{{display:block}} img.light{{display:none}}}}
</style><h1>{title}</h1>
{body}
</html>
"""


@dataclass(frozen=True)
class Picture:
    """One picture in all themes.

    Attributes:
        title: Its name, which is safe in file names.
        png: Theme -> bytes.
    """

    title: str
    png: Mapping[str, bytes]


def rendered(title: str, figure: Any) -> Picture:
    """Render a figure in every theme."""
    return Picture(title, {theme: render_png(figure, theme) for theme in THEMES})


def render_png(figure: Any, theme: str, width: int = WIDTH_PIXELS) -> bytes:
    """Render a matplotlib figure in a theme's colors, with a palette of 256: a third of the bytes, seen by nobody.

    What a figure draws in black (text, axes, black lines) is drawn in the theme's ink; other colors stay.
    The bytes follow from the picture alone.

    Args:
        figure: Left with this theme's colors.
        theme: One of `THEMES`.
        width: In pixels.
    """
    from PIL import Image

    _paint(figure, *THEMES[theme])
    drawn, packed = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=width / figure.get_figwidth(), pil_kwargs={"compress_level": 1})
    with Image.open(drawn) as picture:
        few = picture.convert("RGB").quantize(_COLORS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    _set_corner(few, THEMES[theme][0])
    few.save(packed, format="png", optimize=True)
    return packed.getvalue()


def data_uri(png: bytes) -> str:
    """Return a PNG as text that an image tag or Markdown can hold."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def bounded_data_uri(figure: Any, theme: str, max_bytes: int) -> str:
    """Return a figure as a data URI of at most `max_bytes` characters, narrower where 800 pixels take more.

    Raises:
        UsageError: Not even a thumbnail is that small.
    """
    width = WIDTH_PIXELS
    while width >= _NARROWEST_PIXELS:
        text = data_uri(render_png(figure, theme, width))
        if len(text) <= max_bytes:
            return text
        width = width * 3 // 4
    raise UsageError(f"a picture takes {len(text):,} bytes at {_NARROWEST_PIXELS} pixels, more than {max_bytes:,}")


def page(title: str, sections: Sequence[tuple[str, Sequence[Picture]]], notice: str = "") -> str:
    """Return an HTML page that follows the reader's light or dark setting and loads nothing.

    Args:
        title: Its headline.
        sections: (heading, pictures), in order; a heading may be empty.
        notice: A sentence below the headline.
    """
    body = "\n".join(_section(heading, pictures) for heading, pictures in sections)
    told = f"<p>{html.escape(notice)}</p>\n" if notice else ""
    return _PAGE.format(title=html.escape(title), body=told + body)


def _set_corner(picture: Any, color: str) -> None:
    """Give the palette the exact color of the background, of which the corner is, so that no page shows an edge."""
    from PIL import ImageColor

    palette, start = picture.getpalette(), 3 * picture.getpixel((0, 0))
    palette[start : start + 3] = ImageColor.getrgb(color)
    picture.putpalette(palette)


def _section(heading: str, pictures: Sequence[Picture]) -> str:
    figures = [
        "<figure>"
        + "".join(
            f'<img class="{theme}" alt="{html.escape(picture.title)}" src="{data_uri(png)}">'
            for theme, png in picture.png.items()
        )
        + f"<figcaption>{html.escape(picture.title)}</figcaption></figure>"
        for picture in pictures
    ]
    above = f"<h2>{html.escape(heading)}</h2>\n" if heading else ""
    return above + "\n".join(figures or ["<p>nothing to draw yet</p>"])


def _paint(figure: Any, background: str, ink: str) -> None:
    """Give a figure a background, and what is black or another theme's ink this theme's ink."""
    from matplotlib.colors import to_hex
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch
    from matplotlib.text import Text

    figure.set_facecolor(background)
    for axes in figure.axes:
        axes.set_facecolor(background)
        axes.tick_params(color=ink, labelcolor=ink, which="both")
    for artist in figure.findobj(Text) + figure.findobj(Line2D):
        if _is_ink(artist.get_color(), to_hex):
            artist.set_color(ink)
    for patch in figure.findobj(Patch):
        if patch.get_linewidth() and patch.get_edgecolor()[3] and _is_ink(patch.get_edgecolor(), to_hex):
            patch.set_edgecolor(ink)


def _is_ink(color: Any, to_hex: Any) -> bool:
    return to_hex(color) in _INKS
