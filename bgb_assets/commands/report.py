"""`bgb report`: the pictures of a corpus and its uploads, or of one file, as PNG and as one page.

Belongs here: what is drawn and where it is written. Does not belong here: drawing (`report.py` of each modality),
finding entries (`engine.pictures`), rendering (`runtime.rendering`).
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from bgb_assets.commands.context import opened_chain
from bgb_assets.engine.pictures import pictures_of_corpus, pictures_of_upload
from bgb_assets.modalities.registry import modality
from bgb_assets.runtime.errors import UsageError
from bgb_assets.runtime.imports import resolve
from bgb_assets.runtime.rendering import Picture, page, rendered
from bgb_assets.storage.atomic import write_bytes
from bgb_assets.storage.uploads import PRESENT

SHOWN_UPLOADS = 20
CORPUS, UPLOADS = "corpus", "uploads"
"""Folders of the pictures of everything together, and of one upload each."""

Sections = list[tuple[str, Sequence[Picture]]]


def report(
    name: str,
    keys: Sequence[str] | None,
    output: Path,
    *,
    everything: bool = False,
    shown: int = SHOWN_UPLOADS,
    file: Path | None = None,
) -> None:
    """Write the pictures of the corpus and of some uploads, or of one file, and `index.html`.

    Args:
        name: The modality.
        keys: Uploads, drawn without the corpus; the corpus and the first uploads where there are none.
        output: Folder to write to.
        everything: Draw all uploads.
        shown: How many are drawn with the corpus where not all are.
        file: Draw this file or folder, which no store knows, instead.

    Raises:
        UsageError: The modality draws nothing of that kind, there is no such upload, or `file` and `keys` are given.
    """
    if file is not None and keys:
        raise UsageError(f"draw uploads or a file, got both {', '.join(keys)} and {file}")
    if file is not None:
        _report_file(name, file, output)
    else:
        _report_store(name, keys, output, None if everything else shown)


def _report_store(name: str, keys: Sequence[str] | None, output: Path, shown: int | None) -> None:
    sections: Sections = []
    with opened_chain(name, workers=0) as chain:
        if chain.modality.pictures is None:
            raise UsageError(f"{name} draws no pictures")
        noun = chain.modality.upload_noun
        present = [record.key for record in chain.uploads.all() if record.state == PRESENT]
        chosen = list(keys or present[:shown])
        if not keys:
            sections.append((f"All {noun}s", _written(pictures_of_corpus(chain), output / CORPUS)))
        for key in chosen:
            sections.append((key, _written(pictures_of_upload(chain, key), output / UPLOADS / key)))
    left_out = 0 if keys else len(present) - len(chosen)
    notice = f"{len(chosen)} of {len(present)} {noun}s; --all draws the other {left_out} too." if left_out else ""
    _write_page(output, f"{name}: {len(chosen)} {noun}{'' if len(chosen) == 1 else 's'}", sections, notice)


def _report_file(name: str, path: Path, output: Path) -> None:
    draw = modality(name).file_pictures
    if draw is None:
        raise UsageError(f"{name} draws no pictures of single files; `bgb ingest {name} {path}`, then `bgb report`")
    write_pictures(resolve(draw)(path), path.name, output)


def write_pictures(figures: Mapping[str, Any], title: str, output: Path) -> None:
    """Write figures as PNG in both themes, and a page of its own with all of them."""
    _write_page(output, title, [("", _written(figures.items(), output))], "")


def _written(figures: Iterable[tuple[str, Any]], folder: Path) -> list[Picture]:
    """Render figures one by one, so that only one is held, and write them as `<name>.<theme>.png`."""
    pictures = []
    for title, figure in figures:
        picture = rendered(title, figure)
        for theme, png in picture.png.items():
            write_bytes(folder / f"{title}.{theme}.png", png)
        pictures.append(picture)
    return pictures


def _write_page(output: Path, title: str, sections: Sections, notice: str) -> None:
    write_bytes(output / "index.html", page(title, sections, notice).encode())
    if notice:
        typer.echo(notice)
    typer.echo(f"{output / 'index.html'}")
