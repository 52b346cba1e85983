"""`leaseline replay`: what would have happened with so many numbers."""

import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import IO, Any

import click

from router.cli.output import format_option, print_rows
from router.cli.session import configuration, run
from router.replay import sweep as sweeping
from router.replay.numbers import TooFewNumbers
from router.replay.run import BadNumbersFile, Scenario, line_of, replay
from router.replay.sweep import LONGEST_FREEZE_MINUTES, MOST_NUMBERS, BadSweep, Sweep
from router.replay.trace import TraceError, TraceSize, measured

SWEEP_PART = re.compile(r"[a-z]+=")


@click.command("replay", options_metavar="[OPTIONS]")
@click.argument("words", metavar="TRACE.ndjson", nargs=-1)
@click.option(
    "--config",
    "own_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The configuration file, as before the command's name.",
)
@click.option("--numbers", type=click.IntRange(0, MOST_NUMBERS), help="So many numbers in the site's pool.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="Where the output goes (NDJSON)."
)
@click.option(
    "--freeze-minutes",
    type=click.FloatRange(0, LONGEST_FREEZE_MINUTES, min_open=True),
    help="Instead of what each site says.",
)
@click.option(
    "--numbers-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="More numbers, such as static, reserve and extension hosts: CSV as for `numbers import`.",
)
@click.option(
    "--sweep",
    "sweep_words",
    multiple=True,
    metavar="numbers=50,100 freeze=5,15",
    help="Replay each combination and print a table.",
)
@format_option
@click.pass_obj
def replay_command(
    path: Path,
    /,
    *,
    words: tuple[str, ...],
    own_path: Path | None,
    numbers: int | None,
    out: Path | None,
    freeze_minutes: float | None,
    numbers_file: Path | None,
    sweep_words: tuple[str, ...],
    output_format: str,
) -> None:
    """Replay recorded or invented traffic under the real pool and attribution rules, in virtual time.

    Nothing of the configuration's store is used. The formats of TRACE and of the output: docs/replay.md.
    """
    # `--sweep numbers=… freeze=…` is one option and one bare word to the parser.
    parts = [*sweep_words, *(word for word in words if sweep_words and SWEEP_PART.match(word))]
    traces = [word for word in words if word not in parts]
    if len(traces) != 1:
        raise click.UsageError("name one TRACE file")
    trace = Path(traces[0])
    try:
        sweep = sweeping.parsed(parts) if parts else None
    except BadSweep as error:
        raise click.UsageError(str(error)) from error
    if numbers is None and (sweep is None or sweep.numbers is None):
        raise click.UsageError("say how many: --numbers N")
    if out is None and sweep is None:
        raise click.UsageError("say where to: --out OUT.ndjson")
    config = configuration(own_path or path)
    scenario = Scenario(trace, config, numbers or 0, freeze_minutes, numbers_file)
    try:
        size = measured(trace, {site.key for site in config.site})
        if sweep is None:
            _one(scenario, size, out)
        else:
            _many(scenario, sweep, size, out, output_format)
    except OSError as error:
        raise click.ClickException(f"{error.filename or trace}: {error.strerror or error}") from error
    except (TraceError, TooFewNumbers, BadNumbersFile) as error:
        raise click.ClickException(str(error)) from error


def _one(scenario: Scenario, size: TraceSize, out: Path | None) -> None:
    with _lines_to(out) as write, _bar("replaying", size.events) as told:
        run(replay(scenario, size, write, told))


def _many(scenario: Scenario, sweep: Sweep, size: TraceSize, out: Path | None, output_format: str) -> None:
    wanted = sweeping.scenarios(scenario, sweep)
    with _lines_to(out) as write:
        with _bar("replaying", len(wanted)) as told:
            count = iter(range(1, len(wanted) + 1))
            summaries = sweeping.run_all(wanted, size, lambda: told(next(count)))
        for summary in summaries:
            write({"summary": summary})
    rows = list(sweeping.rows(summaries))
    columns: list[str] = list(sweeping.COLUMNS)
    if output_format == "table":
        rows, columns = sweeping.readable(rows)
    print_rows(rows, columns, output_format)


@contextmanager
def _lines_to(out: Path | None) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Writes lines into a file that takes `out`'s place once it is whole; without `out` nowhere."""
    if out is None:
        yield lambda _: None
        return
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", newline="\n", dir=out.parent, prefix=f".{out.name}.", delete=False
    ) as file:
        try:
            yield lambda line: _write(file, line)
            file.close()
            # Temporary files are their owner's alone; this one is a file like any other.
            Path(file.name).chmod(0o666 & ~_umask())
            Path(file.name).replace(out)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def _write(file: IO[str], line: dict[str, Any]) -> None:
    file.write(line_of(line) + "\n")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _bar(label: str, length: int) -> AbstractContextManager[Callable[[int], None]]:
    """A progress bar where standard error is a terminal."""
    return _shown_bar(label, length) if sys.stderr.isatty() else nullcontext(lambda _: None)


@contextmanager
def _shown_bar(label: str, length: int) -> Iterator[Callable[[int], None]]:
    with click.progressbar(length=length, label=label, file=sys.stderr) as bar:
        yield lambda done: bar.update(done - bar.pos)
