"""What is in a figure: its texts, its outlines."""

from typing import Any

from matplotlib.colors import to_hex
from matplotlib.text import Text


def texts(figure: Any) -> list[str]:
    """Return all texts that are shown, in order."""
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def outlines(axes: Any, color: str) -> list[Any]:
    """Return the paths of the outlines of a color, in data coordinates."""
    sets = [found for found in axes.collections if to_hex(found.get_edgecolor()[0]) == color]
    return [path for found in sets for path in found.get_paths() if len(path.vertices)]


def shown(figure: Any) -> list[Any]:
    """Return the axes that are visible."""
    return [axes for axes in figure.axes if axes.get_visible()]
