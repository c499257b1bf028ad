"""The command line: ``recobro-score demo | train | nightly | warmup``.

Exit codes: 0 done; 2 wrong configuration or usage; 3 a data contract broken beyond the allowed share, or a
safety table missing; 1 anything else. The reason is one line on stderr; ``--debug`` adds the trace.
"""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from recobro_score.errors import ConfigError, ContractError

EXIT_FAILED, EXIT_CONFIG, EXIT_DATA = 1, 2, 3
DEBUG = "--debug"

app = typer.Typer(
    help="Score overdue debts and choose the next best action for each.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

RunFile = Annotated[Path, typer.Argument(metavar="RUN.TOML", help="The run file.")]


def _show_version(asked: bool) -> None:  # noqa: FBT001 - the shape of a callback
    if asked:
        import recobro_score

        typer.echo(recobro_score.__version__)
        raise typer.Exit


@app.callback()
def options(
    *,
    debug: Annotated[bool, typer.Option(DEBUG, help="Show the trace of an error.")] = False,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and stop."),
    ] = False,
) -> None:
    """Score overdue debts and choose the next best action for each."""


@app.command()
def demo(
    *,
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("demo_out"),
    accounts: Annotated[int, typer.Option(min=200, help="Accounts to simulate.")] = 5_000,
    seed: Annotated[int, typer.Option(help="Seed of the simulation.")] = 7,
    language: Annotated[str, typer.Option(help="Language of the sentences: es, en or pt.")] = "es",
) -> None:
    """Simulate a portfolio, train on it, run a night, and show what was decided."""
    from recobro_score.operate.demo import run_demo

    result = run_demo(out, accounts=accounts, seed=seed, language=language, progress=_Bar())
    typer.echo(result.summary())


@app.command()
def train(
    run_file: RunFile,
    *,
    max_accounts: Annotated[
        int | None, typer.Option(min=1, help="Accounts to learn from at most, in place of the run file's.")
    ] = None,
) -> None:
    """Train a bundle as the run file says and report how well it does.

    Of a folder of more than 5 million rows a sample is learned from: the accounts of whole debtors, drawn by
    a hash of their ids, as many as have about so many rows. [training] max_accounts sets their number.
    """
    from recobro_score.operate.batch import run_training
    from recobro_score.operate.config import RunConfig

    job = run_training(RunConfig.read(run_file), max_accounts=max_accounts, progress=_Bar())
    typer.echo(job.summary())


@app.command()
def nightly(
    run_file: RunFile,
    *,
    as_of: Annotated[str, typer.Option(metavar="DATE", help="The instant to decide for, e.g. 2025-06-01.")],
) -> None:
    """Decide for every account as of a date and write the night's files.

    A folder of more than 5 million rows is split on disk, beside the nights, and read one part at a time;
    [night] buckets in the run file sets the number of parts, 1 for none. The files are the same.
    """
    from recobro_score.operate.batch import run_night
    from recobro_score.operate.config import RunConfig

    typer.echo(run_night(RunConfig.read(run_file), as_of, progress=_Bar()).summary())


@app.command()
def warmup(
    bundle: Annotated[
        Path | None, typer.Argument(metavar="[BUNDLE]", help="A bundle to rehearse with.")
    ] = None,
) -> None:
    """Compile everything that scoring needs, so that the next start does not wait for it."""
    from recobro_score.operate.warmup import warm_up

    typer.echo(warm_up(bundle, progress=_Bar()).summary())


class _Bar:
    """Shows what is being done: one line that moves on a terminal, one line a step elsewhere."""

    width = 24

    def __init__(self) -> None:
        self._step = ""
        self._live = sys.stderr.isatty()

    def __call__(self, step: str, done: float) -> None:
        if self._live:
            filled = round(done * self.width)
            end = "\n" if done >= 1.0 else ""
            bar = "█" * filled + "·" * (self.width - filled)
            sys.stderr.write(f"\r{step:<34.34} {bar} {done:>4.0%}{end}")
            sys.stderr.flush()
        elif step != self._step:
            sys.stderr.write(f"{step}\n")
        self._step = step


def run(arguments: list[str]) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    arguments : list of str
        Without the program's name.
    """
    arguments = arguments or ["--help"]
    debug = DEBUG in arguments
    try:
        words = [word for word in arguments if word != DEBUG]
        code = app(words, prog_name="recobro-score", standalone_mode=False)
    except Exception as error:  # the outermost edge: every error becomes a code and a line
        if debug:
            traceback.print_exc()
        reason = _reason(error)
        sys.stderr.write(f"recobro-score: {reason}\n")
        return _exit_code(error)
    return code if isinstance(code, int) else 0


def main() -> None:
    """Run as a program."""
    sys.exit(run(sys.argv[1:]))


def _reason(error: Exception) -> str:
    """Return the error as one line."""
    shown = error.format_message() if hasattr(error, "format_message") else str(error)
    lines = "; ".join(line.strip(" -") for line in shown.splitlines() if line.strip())
    return lines.replace(":; ", ": ") or type(error).__name__


def _exit_code(error: Exception) -> int:
    if isinstance(error, ContractError):
        return EXIT_DATA
    if isinstance(error, ConfigError) or hasattr(error, "format_message"):
        return EXIT_CONFIG
    return EXIT_FAILED
