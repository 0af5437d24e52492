"""`glotmix align`: languages tied together, and what that does to a model; nothing heavy is imported before its use."""

import typer

from glotmix.cli import align_pairs, align_report, align_try

app = typer.Typer(
    name="align",
    help="Languages tied together: parallel text found and packed; its effect on a model; how aligned a model is.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
align_pairs.add_to(app)
align_report.add_to(app)
align_try.add_to(app)
