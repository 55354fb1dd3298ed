"""Figures of songs, maps and the whole corpus; `report` hands them out."""
