"""Where a request to the admin listener comes from: through TLS or not, from our own pages or not."""

from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from router.web.addresses import TrustedProxies

SAFE_METHODS: Final = frozenset({"GET", "HEAD"})


class Origins:
    """Reads the headers that a browser sets by itself, and those of trusted proxies."""

    def __init__(self, proxies: TrustedProxies) -> None:
        self._proxies = proxies

    def address(self, request: web.Request) -> str:
        """The client's address."""
        return self._proxies.client(request.remote or "", request.headers.get("X-Forwarded-For"))

    def is_secure(self, request: web.Request) -> bool:
        """Whether the browser uses TLS, by ourselves or by a trusted proxy's X-Forwarded-Proto."""
        if request.secure:
            return True
        told = request.headers.get("X-Forwarded-Proto", "")
        return told.rpartition(",")[2].strip().lower() == "https" and self._proxies.trusts(
            request.remote or ""
        )

    def is_ours(self, request: web.Request) -> bool:
        """Whether the request was made by one of our own pages, or by nobody's page (the address bar).

        Sec-Fetch-Site is the browser's own word; it is missing where the listener is used without TLS from
        another machine, and in old browsers. Origin is always sent with what changes anything.
        """
        site = request.headers.get("Sec-Fetch-Site")
        origin = request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc.lower() not in self._hosts(request):
            return False
        if request.method in SAFE_METHODS:
            return site in {None, "same-origin", "none"}
        return site == "same-origin" or (site is None and origin is not None)

    def _hosts(self, request: web.Request) -> set[str]:
        hosts = {request.host.lower()}
        forwarded = request.headers.get("X-Forwarded-Host")
        if forwarded and self._proxies.trusts(request.remote or ""):
            hosts.add(forwarded.rpartition(",")[2].strip().lower())
        return hosts
