"""Who is to be told of a call, and who is not, and why: decided as the call's record is written."""

from collections.abc import Iterable
from typing import Any, Final

import structlog

from pool.instants import HOUR, from_iso
from router.cdr.record import Cdr
from router.config.delivery import AnyDestination, Destination, Ga4, GoogleAds, GoogleAdsCsv, Metrica
from router.deliveries import ga4, google_ads, metrica
from router.store.calls import NewDelivery

log = structlog.get_logger(__name__)

CLICK_RESTS_MS: Final = 6 * HOUR
"""Google refuses a conversion whose click is younger than this; the click came before the call."""


def deliveries_of(destinations: Iterable[AnyDestination], cdr: Cdr) -> list[NewDelivery]:
    """A row for each destination of the call's site. Whatever goes wrong, the call's record is not lost."""
    found = []
    for destination in destinations:
        if destination.sites and cdr["site"] not in destination.sites:
            continue
        try:
            found.append(_delivery(destination, cdr))
        except Exception as error:
            log.exception("delivery.not_chosen", call_id=cdr["id"], destination=destination.name)
            reason = f"the record could not be judged: {type(error).__name__}"
            found.append(NewDelivery(cdr["id"], destination.name, "refused", reason))
    return found


def _delivery(destination: AnyDestination, cdr: Cdr) -> NewDelivery:
    reason = kept_back(destination, cdr)
    if reason is not None:
        return NewDelivery(cdr["id"], destination.name, "skipped", reason)
    reason = lacks(destination, cdr)
    if reason is not None:
        return NewDelivery(cdr["id"], destination.name, "refused", reason)
    if isinstance(destination, GoogleAds | GoogleAdsCsv):
        rested_at = from_iso(cdr["started_at"]) + CLICK_RESTS_MS
        reason = "held back: the click may be younger than 6 h"
        return NewDelivery(cdr["id"], destination.name, "due", reason, rested_at)
    return NewDelivery(cdr["id"], destination.name)


def kept_back(destination: Destination, cdr: Cdr) -> str | None:
    """Which of the destination's filters keeps the call back; None: none does."""
    channel = cdr["attribution"].get("channel")
    checks: list[tuple[bool, str]] = [
        (bool(destination.results) and cdr["result"] not in destination.results, f"result {cdr['result']}"),
        (destination.qualified and not cdr["qualified"], "not qualified"),
        (destination.first_call and cdr["first_call"] is not True, _not_first(cdr["first_call"])),
        (bool(destination.channels) and channel not in destination.channels, f"channel {channel or '–'}"),
        (bool(destination.matches) and cdr["match"] not in destination.matches, f"match {cdr['match']}"),
        (
            cdr["confidence"] < destination.least_confidence,
            f"confidence {cdr['confidence']:.2f} is below {destination.least_confidence:.2f}",
        ),
    ]
    return next((reason for keeps, reason in checks if keeps), None)


def lacks(destination: AnyDestination, cdr: Any) -> str | None:
    """What the destination needs and the call does not have; None: nothing."""
    if isinstance(destination, Ga4):
        return ga4.lacks(cdr)
    if isinstance(destination, Metrica):
        return metrica.lacks(cdr)
    if isinstance(destination, GoogleAds | GoogleAdsCsv):
        return google_ads.lacks(cdr)
    return None


def _not_first(first_call: bool | None) -> str:
    return "not known whether it is the caller's first" if first_call is None else "not the caller's first"
