"""The calls that are going on: as they are when the page is made, then as they change (`static/live.js`)."""

from collections.abc import Mapping
from typing import Any, Final

from router.live import LiveEntry
from router.web.dashboard.page import Asked, Page, Place

STAGES: Final = ("routing", "ringing", "talking", "parked", "ending")


async def show(asked: Asked) -> Mapping[str, Any]:
    """The calls at this moment."""
    view = asked.parts.view
    calls: list[LiveEntry] = []
    if view is not None:
        with view.watching():
            await view.look()
            calls = [shown.entry(view.switch, asked.at) for shown in view.snapshot.calls.values()]
    texts = {f"state.{stage}": asked.words.text(f"live.state.{stage}") for stage in STAGES}
    texts |= {
        name: asked.words.text(f"live.{name}")
        for name in ("connected", "lost", "catching_up", "hold", "ended")
    }
    return {"calls": calls, "is_here": view is not None, "texts": texts}


PAGE: Final = Page(
    path="/live",
    template="live.html",
    title="live.title",
    show=show,
    place=Place("now", "live"),
    scripts=("live.js",),
)
