"""`leaseline site`: what is known of a site's traffic."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click

from pool.instants import now, to_iso
from pool.past import past_holds
from router.attribution.call_model import GONE_STAGES, HERE_STAGES, LATER_STAGES, Model
from router.cli.output import format_option, print_rows
from router.cli.session import configuration, run, store
from router.learning import Learnt, SiteModels
from router.store.seen import SeenStore

MOST_COUNTRIES: Final = 5


@click.group()
def site() -> None:
    """One site's traffic."""


@site.command()
@click.argument("key", metavar="[SITE]", required=False)
@format_option
@click.pass_obj
def model(path: Path, key: str | None, output_format: str) -> None:
    """By which figures callers are told apart: the stated prior, and what was learnt from the site's calls.

    docs/attribution.md explains each figure. Without SITE: all of them.
    """
    config = configuration(path)
    keys = [one.key for one in config.site]
    if key is not None and key not in keys:
        raise click.ClickException(f"no [[site]] has the key {key!r}; there are: {', '.join(keys)}")
    wanted = keys if key is None else [key]

    async def look() -> list[tuple[str, Learnt]]:
        async with store(config) as (database, _):
            models = SiteModels(
                SeenStore(database),
                lambda site, since_at, at: past_holds(database, site, since_at, at),
                lookback_seconds=config.cdr.lookback_hours * 3600,
            )
            return [(one, await models.learn(one, now())) for one in wanted]

    found = run(look())
    rows = [row for one, learnt in found for row in _rows(one, learnt)]
    print_rows(rows, ("site", "figure", "prior", "learnt"), output_format)
    if output_format == "table":
        for one, learnt in found:
            since = "" if learnt.since_at is None else f" since {to_iso(learnt.since_at)}"
            certain = f"{learnt.calls} calls ({learnt.certain} certain matches)"
            click.echo(f"{one}: learnt from {certain}, {learnt.visits} visits{since}")


def _rows(site_key: str, learnt: Learnt) -> Iterator[dict[str, Any]]:
    prior, found = _figures(Model()), _figures(learnt.model)
    yield {"site": site_key, "figure": "calls learnt from", "prior": 0, "learnt": learnt.calls}
    yield {"site": site_key, "figure": "certain matches", "prior": 0, "learnt": learnt.certain}
    for name, figure in found.items():
        before = None if name not in prior else _short(prior[name])
        yield {"site": site_key, "figure": name, "prior": before, "learnt": _short(figure)}


def _figures(model: Model) -> dict[str, float]:
    figures = {
        "calls per visit": model.calls_per_visit,
        "calls per click": model.calls_per_click,
        "strays a day and number": model.strays_per_day,
        "strays a day and holder": model.strays_per_hold,
        "strays, short calls": model.short_strays,
        "visits, short calls": model.short_visits,
        "phones of the visitor's country": model.countries.at_home,
    }
    names = [f"there, up to {_span(limit)}" for limit in HERE_STAGES] + ["there, longer"]
    names += [f"gone, up to {_span(limit)}" for limit in GONE_STAGES]
    figures |= dict(zip(names, model.stages, strict=True))
    names = [f"late, up to {_span(limit)}" for limit in LATER_STAGES] + ["late, longer"]
    figures |= dict(zip(names, model.later_stages, strict=True))
    mix = sorted(model.countries.mix.items(), key=lambda one: -one[1])[:MOST_COUNTRIES]
    return figures | {f"callers from {country}": share for country, share in mix}


def _span(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:g} s"
    return f"{seconds / 60:g} min" if seconds < 3600 else f"{seconds / 3600:g} h"


def _short(figure: float) -> float:
    return float(f"{figure:.3g}")
