"""The widget as one site's pages get it: without comments, the site's settings filled in, compressed once."""

import gzip
import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from router.config.site import Site
from router.web.numerals import written_digits

_PLACE = "LEASELINE_CONFIG"


@dataclass(frozen=True, slots=True)
class Script:
    """One site's widget, ready to send."""

    plain: bytes
    compressed: bytes
    etag: str


def script_of(site: Site, public_url: str) -> Script:
    """The widget of `site`. With an empty `public_url` it calls the host that it was itself loaded from."""
    settings = {
        "site": site.key,
        "url": public_url.rstrip("/"),
        "days": site.visitor_cookie_days,
        "consent": site.consent_required,
        "slots": [
            {"slot": "main", "selector": "", "forms": written_digits(site.main_number)},
            *(
                {"slot": slot.name, "selector": slot.selector, "forms": written_digits(slot.main_number)}
                for slot in site.number_slot
            ),
        ],
    }
    plain = _source().replace(_PLACE, script_json(settings)).encode()
    # A fixed time stamp, so that every process of a cluster gives the same bytes and the same ETag.
    compressed = gzip.compress(plain, 9, mtime=0)
    return Script(plain, compressed, f'"{hashlib.sha256(plain).hexdigest()[:20]}"')


def script_json(value: object) -> str:
    """`value` as JSON that is safe inside a script, even one that somebody pastes into a page."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@lru_cache(maxsize=1)
def _source() -> str:
    text = resources.files("router.web.widget").joinpath("leaseline.js").read_text(encoding="utf-8")
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))
