# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Lines in an SVG, without a library."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

_WIDTH, _HEIGHT, _LEFT, _TOP, _RIGHT, _BOTTOM = 720, 420, 70, 50, 30, 60
_COLORS = ("#1b6ca8", "#c1440e", "#3c7d3e")
# Under the same licence as this file, in the same words.
_LICENSE = "\n".join(
    ("<!--", *(line[2:] for line in Path(__file__).read_text(encoding="utf-8").splitlines()[:3]), "-->")
)
_TICKS = 5


@dataclass(frozen=True)
class Series:
    """A line through points."""

    title: str
    points: Sequence[tuple[float, float]]


def plot(title: str, across: str, upward: str, series: Sequence[Series]) -> str:
    """Return the picture."""
    frame = _Frame(
        _round_up(max(x for line in series for x, _y in line.points)),
        _round_up(max(y for line in series for _x, y in line.points)),
    )
    parts = [_text((_WIDTH / 2, 24), title, 16), *frame.grid(), _text((_WIDTH / 2, _HEIGHT - 16), across, 13)]
    parts.append(f'<g transform="rotate(-90 18 {_HEIGHT / 2})">{_text((18, _HEIGHT / 2), upward, 13)}</g>')
    for index, line in enumerate(series):
        parts += frame.line(index, line)
    body = "\n".join(parts)
    return (
        f'{_LICENSE}\n<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif">\n'
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>\n{body}\n</svg>\n'
    )


@dataclass(frozen=True)
class _Frame:
    most_x: float
    most_y: float

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Return where a point lies in the picture."""
        width, height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
        return _LEFT + width * x / self.most_x, _TOP + height * (1 - y / self.most_y)

    def grid(self) -> list[str]:
        """Return lines with their figures."""
        parts = []
        for number in range(_TICKS + 1):
            x, y = self.most_x * number / _TICKS, self.most_y * number / _TICKS
            column, row = self.place(x, y)
            parts.append(f'<line x1="{_LEFT}" y1="{row:.1f}" x2="{_WIDTH - _RIGHT}" y2="{row:.1f}" stroke="#ddd"/>')
            parts.append(_text((column, _HEIGHT - _BOTTOM + 18), f"{x:,.0f}", 12))
            parts.append(_text((_LEFT - 8, row + 4), f"{y:g}", 12, "end"))
        return parts

    def line(self, index: int, series: Series) -> list[str]:
        """Return a line, its points and its entry in the legend."""
        color = _COLORS[index % len(_COLORS)]
        points = [self.place(x, y) for x, y in series.points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        return [
            f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>',
            *(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{color}"/>' for x, y in points),
            f'<rect x="{_LEFT + 14}" y="{_TOP + 8 + 20 * index}" width="12" height="12" fill="{color}"/>',
            _text((_LEFT + 32, _TOP + 19 + 20 * index), series.title, 13, "start"),
        ]


def _text(place: tuple[float, float], words: str, size: int, anchor: str = "middle") -> str:
    x, y = place
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}">{escape(words)}</text>'


def _round_up(value: float) -> float:
    """Return the next of 1, 2, 2.5, 5 and 10 times a power of ten."""
    power = 10 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= value)
