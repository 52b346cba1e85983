"""Reliability curves as an SVG: what was claimed against what was right, a panel for each regime."""

from collections.abc import Mapping
from typing import Final

SIDE: Final = 150
GAP: Final = 46
COLUMNS: Final = 4
INK: Final = "#1f2933"
CURVE: Final = "#0b6e99"

Bins = Mapping[int, tuple[int, float, float]]


def drawn(regimes: Mapping[str, Bins]) -> str:
    """The picture. A dot's area follows the number of its calls; on the diagonal every claim is honest."""
    rows = -(-len(regimes) // COLUMNS)
    width = COLUMNS * (SIDE + GAP) + GAP
    height = rows * (SIDE + GAP + 14) + GAP
    panels = [
        f'<g transform="translate({GAP + place % COLUMNS * (SIDE + GAP)},'
        f'{GAP + place // COLUMNS * (SIDE + GAP + 14)})">{_panel(name, bins)}</g>'
        for place, (name, bins) in enumerate(regimes.items())
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="sans-serif" font-size="11" fill="{INK}">'
        f'<rect width="100%" height="100%" fill="#fff"/>{"".join(panels)}</svg>\n'
    )


def _panel(name: str, bins: Bins) -> str:
    calls = sum(count for count, _, _ in bins.values())
    points = [(claimed * SIDE, SIDE - right * SIDE, count) for count, claimed, right in bins.values()]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in points)
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{1.5 + 9 * (count / calls) ** 0.5:.1f}" fill="{CURVE}" '
        'fill-opacity="0.55"/>'
        for x, y, count in points
    )
    ticks = "".join(
        f'<text x="{share * SIDE}" y="{SIDE + 13}" text-anchor="middle">{share:g}</text>'
        f'<text x="-5" y="{SIDE - share * SIDE + 4}" text-anchor="end">{share:g}</text>'
        for share in (0, 0.5, 1)
    )
    return (
        f'<text x="0" y="-8" font-weight="bold">{name} ({calls} calls)</text>'
        f'<rect width="{SIDE}" height="{SIDE}" fill="none" stroke="#9aa5b1"/>'
        f'<line x1="0" y1="{SIDE}" x2="{SIDE}" y2="0" stroke="#9aa5b1" stroke-dasharray="4 3"/>'
        f'<polyline points="{line}" fill="none" stroke="{CURVE}"/>{dots}{ticks}'
        f'<text x="{SIDE / 2}" y="{SIDE + 26}" text-anchor="middle">claimed</text>'
    )
