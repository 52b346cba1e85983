"""What a page may carry: headers that keep scripts of others out, and addresses that lead nowhere else."""

from typing import Any, Final
from urllib.parse import urlsplit

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; "
        "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    # Not "no-referrer": a form's Origin would then be null, and could not be told from another site's.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}
_LONGEST: Final = 2_048


def own_address(text: str) -> str:
    """`text` if it is a path of this listener, else `/`: what a login leads to is not for others to choose.

    Browsers read `//host`, `/\\host` and addresses with control characters in them as other hosts.
    """
    plain = text.isascii() and text.isprintable() and "\\" not in text and " " not in text
    if not plain or len(text) > _LONGEST or not text.startswith("/") or text.startswith("//"):
        return "/"
    parts = urlsplit(text)
    return text if not parts.scheme and not parts.netloc else "/"


def web_address(text: Any) -> str | None:
    """`text` if it is an address that may be a link: http or https, with a host. Else it is shown as text."""
    if not isinstance(text, str) or not text.isprintable() or len(text) > _LONGEST:
        return None
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    return text if parts.scheme in {"http", "https"} and parts.netloc else None
