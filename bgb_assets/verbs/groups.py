"""Verbs that every modality spells its own way: `bgb evaluate beatmap ...`, `bgb evaluate eeg ...`.

Belongs here: the groups, empty. Each module of this package adds the commands of its modality, named after it.
"""

import typer

evaluate = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Measure what a model made, or a person.")
inspect = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Say what is in one upload or file.")
convert = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Write a file in another format.")
repair = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Write a file again without its faults.")
score = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Score any tool's output against what is true.")
experiment = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Train a variant many times: folds, restarts, seeds."
)
export = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Write what the store holds for other programs.")
demo = typer.Typer(
    invoke_without_command=True,
    rich_markup_mode=None,
    help="Run the whole chain on samples, to a trained model and what it does. Without a modality: beatmap.",
)

GROUPS = {
    "demo": demo,
    "experiment": experiment,
    "evaluate": evaluate,
    "inspect": inspect,
    "convert": convert,
    "repair": repair,
    "score": score,
    "export": export,
}
