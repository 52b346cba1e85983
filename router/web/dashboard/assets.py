"""Style sheets, scripts and icons: read once, compressed once, kept by browsers for good.

Their address has a digest of all of them in it, so that a new version is asked for at once.
"""

import gzip
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Final

from aiohttp import web

TYPES: Final = {
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
    "txt": "text/plain",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, ready to send."""

    body: bytes
    compressed: bytes
    content_type: str


@lru_cache(maxsize=1)
def assets() -> dict[str, Asset]:
    """Every file of `static/`, by name."""
    folder = resources.files("router.web.dashboard").joinpath("static")
    found = {}
    for file in folder.iterdir():
        kind = TYPES.get(file.name.rpartition(".")[2])
        if kind is not None:
            body = file.read_bytes()
            found[file.name] = Asset(body, gzip.compress(body, 9, mtime=0), kind)
    return found


@lru_cache(maxsize=1)
def version() -> str:
    """Changes whenever any of the files does."""
    digest = hashlib.sha256()
    for name, asset in sorted(assets().items()):
        digest.update(name.encode() + b"\0" + asset.body)
    return digest.hexdigest()[:12]


def address(name: str) -> str:
    """Where the browser finds a file. Raises KeyError for one that is not there."""
    return f"/static/{version()}/{name}" if assets()[name] else ""


async def serve(request: web.Request) -> web.Response:
    """A file, to anybody: the login page needs them too."""
    asset = assets().get(request.match_info["name"])
    if asset is None:
        raise web.HTTPNotFound
    packed = "gzip" in request.headers.get("Accept-Encoding", "")
    fresh = request.match_info["version"] == version()
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable" if fresh else "no-cache",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Vary": "Accept-Encoding",
    }
    if packed:
        headers["Content-Encoding"] = "gzip"
    return web.Response(
        body=asset.compressed if packed else asset.body,
        content_type=asset.content_type,
        charset="utf-8",
        headers=headers,
    )
