"""Figures of recordings, events and scores; `report` hands them out."""
