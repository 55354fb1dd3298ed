"""Our own log lines reach standard error; those of libraries do not, and nothing is left behind."""

import logging

import pytest

from bgb_assets.runtime.logs import heard

OURS = logging.getLogger("bgb_assets.modalities.tuba.model")


def test_our_own_lines_are_plain_text_while_they_are_heard(capsys: pytest.CaptureFixture[str]) -> None:
    logger = logging.getLogger("bgb_assets")
    before = (logger.level, list(logger.handlers))
    # pytest's own handlers stand at the root: as a command line, which has none.
    root, logging.root.handlers = logging.root.handlers, []
    try:
        with heard("bgb_assets"):
            OURS.info("seizure ratio %.1f%%", 34.2)
            OURS.debug("detail")
            logging.getLogger("library").info("chatter")
        OURS.info("afterwards")
    finally:
        logging.root.handlers = root
    assert capsys.readouterr().err == "seizure ratio 34.2%\n"
    assert (logger.level, logger.handlers) == before


def test_handlers_that_are_there_hear_it_once(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with heard("bgb_assets"), heard("bgb_assets.modalities"):
        OURS.info("once")
    assert [record.getMessage() for record in caplog.records] == ["once"]
    assert capsys.readouterr().err == ""


def test_a_level_that_hears_more_is_kept(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "bgb_assets"), heard("bgb_assets"):
        OURS.debug("detail")
    assert [record.getMessage() for record in caplog.records] == ["detail"]
