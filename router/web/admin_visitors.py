"""`GET /api/v1/visitors/{id}`: a visitor's journey."""

from aiohttp import web

from pool.database import Database
from router.attribution.story import Story, story
from router.config.live import LiveConfig
from router.schema import Word
from router.store.journeys import JourneyStore
from router.web.openapi.operation import JSON, Parameter, described
from router.web.problems import Problem, field_problem
from router.web.query import read

_VISITOR_ID = Parameter("id", str, "The visitor's `visitor_id`.", "01935400a3b5f0c1d2e3f4a5b6c7d8e9f01")
_SITE = Parameter("site", Word, "The site's key; needed only where several know the id.", "plumber")


class Visitors:
    """The handler."""

    def __init__(self, live: LiveConfig, database: Database) -> None:
        self._live = live
        self._journeys = JourneyStore(database)

    @described(
        "visitors",
        path=[_VISITOR_ID],
        query=[_SITE],
        answers={200: JSON(Story)},
        problems={400: ["invalid-request"], 404: ["unknown-visitor"]},
    )
    async def journey(self, request: web.Request) -> web.Response:
        """Everything that a visitor did, in order."""
        asked = read(request.query, [_SITE])
        visitor_id = request.match_info["id"]
        if not (visitor_id.isascii() and visitor_id.isalnum()):
            raise _unknown()
        site = asked.get("site") or await self._site_of(visitor_id)
        found = await self._journeys.journey(site, visitor_id)
        if found is None:
            raise _unknown()
        return web.json_response(story(**found._asdict()))

    async def _site_of(self, visitor_id: str) -> str:
        sites = await self._journeys.sites_of(visitor_id, [site.key for site in self._live.current.site])
        if not sites:
            raise _unknown()
        if len(sites) > 1:
            raise field_problem("site", f"several sites know this id, name one of {', '.join(sites)}")
        return sites[0]


def _unknown() -> Problem:
    return Problem(404, "unknown-visitor", "no visitor has this id, or it was erased")
