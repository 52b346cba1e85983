"""The inventory: every number, found by kind, pool, site or beginning; admins retire and move them."""

from collections.abc import Mapping
from typing import Any, Final

import structlog

from pool.inventory import UnknownNumbers
from pool.numbers import NumberKind
from router.routing.numbering import NotANumber, to_e164
from router.users.roles import Role
from router.web.dashboard.page import Action, Asked, Done, Form, Page, Place, back

log = structlog.get_logger(__name__)

ROWS: Final = 50
MOST_AT_ONCE: Final = 1_000
_MOST_CHARACTERS: Final = 64


async def show(asked: Asked) -> Mapping[str, Any]:
    """One page of the numbers that match."""
    chosen = {name: _value(asked, name) for name in ("kind", "pool", "site", "state", "number")}
    kind = NumberKind(chosen["kind"]) if chosen["kind"] in set(NumberKind) else None
    numbers = asked.parts.pool.numbers
    retired = {"retired": True, "used": False}.get(chosen["state"])
    begin = _just_before(chosen["number"], asked.config.asterisk.country)
    found = await numbers(
        after=asked.query.get("after", "")[:20] or begin,
        kind=kind,
        pool=chosen["pool"] or None,
        site={"": None, "-": ""}.get(chosen["site"], chosen["site"]),
        retired=retired,
        most=ROWS + 1,
    )
    shown = found[:ROWS]
    return {
        "numbers": shown,
        "chosen": chosen,
        "is_filtered": any(chosen.values()),
        "kinds": tuple(NumberKind),
        "pools": sorted({pool for site in asked.config.site for pool in site.pools}),
        "next": asked.link(after=shown[-1].number) if len(found) > ROWS else None,
        "first": asked.link(after=None) if asked.query.get("after") else None,
        "may_change": asked.may(Role.ADMIN),
        "back": asked.link(),
    }


def _value(asked: Asked, name: str) -> str:
    text = asked.query.get(name, "")[:_MOST_CHARACTERS].strip()
    return text if text.isprintable() else ""


def _just_before(text: str, country: str) -> str:
    """What a list must begin behind, so that it begins with this number, or with this beginning of one."""
    if not text:
        return ""
    try:
        number = to_e164(text, country)
    except NotANumber:
        number = "+" + "".join(character for character in text if character.isdigit())
    last = number[-1:]
    # Digits alone: what other characters sort before is for each database to say.
    return number[:-1] + (f"{int(last) - 1}{'9' * 15}" if last.isdigit() and last != "0" else "")


async def retire(asked: Asked, form: Form) -> Done:
    """Numbers that are not to be given any more."""
    to, wanted = back(form, "/numbers"), _numbers(form)
    if not wanted:
        return Done(to, "said.no_numbers", is_error=True)
    try:
        count = await asked.parts.pool.retire(wanted, asked.at)
    except UnknownNumbers:
        return Done(to, "said.unknown_numbers", is_error=True)
    log.info("numbers.retired", numbers=wanted, by=asked.user.name)
    return Done(to, "said.retired", {"n": count})


async def move(asked: Asked, form: Form) -> Done:
    """Numbers to another pool or site; an empty field changes nothing, `-` is the base."""
    to, wanted = back(form, "/numbers"), _numbers(form)
    pool, site = (form.get(name, "").strip()[:_MOST_CHARACTERS] for name in ("to_pool", "to_site"))
    if not wanted or not (pool or site) or not (pool + site).isprintable():
        return Done(to, "said.no_numbers", is_error=True)
    try:
        count = await asked.parts.pool.move(
            wanted, asked.at, pool=pool or None, site={"": None, "-": ""}.get(site, site)
        )
    except UnknownNumbers:
        return Done(to, "said.unknown_numbers", is_error=True)
    log.info("numbers.moved", numbers=wanted, pool=pool, site=site, by=asked.user.name)
    return Done(to, "said.moved", {"n": count})


def _numbers(form: Form) -> list[str]:
    """The numbers that were ticked: each is a field of its own, `number:+44…`."""
    ticked = (name.removeprefix("number:") for name in form if name.startswith("number:"))
    return [number for number in ticked if number.isprintable()][:MOST_AT_ONCE]


PAGE: Final = Page(
    path="/numbers",
    template="numbers.html",
    title="numbers.title",
    show=show,
    place=Place("numbers", "numbers"),
    actions={
        "/numbers/retire": Action(retire, Role.ADMIN),
        "/numbers/move": Action(move, Role.ADMIN),
    },
)
