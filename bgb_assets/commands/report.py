"""`bgb report`: the pictures of uploads as PNG files, light and dark, and one page that holds them all.

Belongs here: rendering figures. Does not belong here: drawing them (`report.py` of each modality).
"""

import base64
import html
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from bgb_assets.chain import Chain
from bgb_assets.commands.context import opened_chain
from bgb_assets.runtime.errors import UsageError
from bgb_assets.runtime.imports import resolve
from bgb_assets.storage.atomic import write_bytes
from bgb_assets.storage.uploads import PRESENT

WIDTH_PIXELS = 800
THEMES: Mapping[str, tuple[str, str]] = {"light": ("#ffffff", "#1b1b1b"), "dark": ("#16181d", "#e6e6e6")}
"""Theme -> (background, ink)."""
_PAGE = """<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title><style>
body{{font:15px/1.5 system-ui,sans-serif;max-width:820px;margin:2em auto;padding:0 1em;background:#fff;color:#1b1b1b}}
img{{max-width:100%}} .dark{{display:none}}
@media (prefers-color-scheme: dark){{
body{{background:#16181d;color:#e6e6e6}} .dark{{display:inline}} .light{{display:none}}}}
</style><h1>{title}</h1>
{body}
"""


def report(name: str, keys: Sequence[str] | None, output: Path) -> None:
    """Write the pictures of some uploads, or of all, and `index.html`."""
    sections = []
    with opened_chain(name, workers=0) as chain:
        if chain.modality.pictures is None:
            raise UsageError(f"{name} draws no pictures")
        for key in keys or [record.key for record in chain.uploads.all() if record.state == PRESENT]:
            drawn = list(_rendered(chain, key))
            for title, theme, data in drawn:
                write_bytes(output / key / f"{title}.{theme}.png", data)
            sections.append(_section(key, drawn))
    page = _PAGE.format(
        title=html.escape(f"{name}: {len(sections)} {chain.modality.upload_noun}s"), body="\n".join(sections)
    )
    write_bytes(output / "index.html", page.encode())
    typer.echo(f"{output / 'index.html'}")


def _rendered(chain: Chain, key: str) -> Iterator[tuple[str, str, bytes]]:
    """Yield (stage-picture, theme, PNG) for the stages of an upload whose bytes are there."""
    pictures = resolve(chain.modality.pictures or "")
    for stage, record in chain.records_of(chain.uploads.require(key)).items():
        if record.absent is not None or record.evicted:
            continue
        for picture, figure in pictures(stage, chain.store.directory(record)).items():
            for theme in THEMES:
                yield f"{stage}-{picture}", theme, render_png(figure, theme)


def render_png(figure: Any, theme: str) -> bytes:
    """Render a matplotlib figure, `WIDTH_PIXELS` wide, in a theme's colors."""
    background, ink = THEMES[theme]
    figure.set_facecolor(background)
    for axes in figure.axes:
        axes.set_facecolor(background)
        axes.tick_params(colors=ink)
        for text in (axes.title, axes.xaxis.label, axes.yaxis.label):
            text.set_color(ink)
        for spine in axes.spines.values():
            spine.set_edgecolor(ink)
    buffer = io.BytesIO()
    # Without the Software tag the bytes follow from the picture alone.
    figure.savefig(buffer, format="png", dpi=WIDTH_PIXELS / figure.get_figwidth(), metadata={"Software": None})
    return buffer.getvalue()


def _section(key: str, drawn: Sequence[tuple[str, str, bytes]]) -> str:
    images = [
        f'<img class="{theme}" alt="{html.escape(title)}" src="data:image/png;base64,{_base64(data)}">'
        for title, theme, data in drawn
    ]
    return f"<h2>{html.escape(key)}</h2>\n" + "\n".join(images or ["<p>nothing to draw yet</p>"])


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
