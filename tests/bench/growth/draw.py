"""Draws the curves of what `scripts/bench --growth --json FILE` wrote.

python -m tests.bench.growth.draw FILE... DIRECTORY
"""

import html
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_WIDTH, _HEIGHT = 560, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 36, 50, 50
_COLOURS = {"smbgate": "#1f6fb2", "smbd": "#b2521f"}

Row = dict[str, Any]


def main() -> int:
    """Write a picture for each case that has a curve, named after it."""
    *files, directory = map(Path, sys.argv[1:])
    cases: dict[str, list[Row]] = {}
    for row in (row for file in files for row in json.loads(file.read_text(encoding="utf-8"))):
        if len(row["points"]) > 2:
            cases.setdefault(row["case"], []).append(row)
    for case, rows in cases.items():
        target = directory / f"{case.replace(',', '').replace(' ', '-')}.svg"
        target.write_text(picture(case, rows), encoding="utf-8")
        print(target)
    return 0


def picture(case: str, rows: Sequence[Row]) -> str:
    """The curves of one case, as SVG. Where they span more than a factor of twenty, axes are logarithmic."""
    xs = _Axis([x for row in rows for x, _ in row["points"]], _LEFT, _WIDTH - _RIGHT)
    ys = _Axis([0.0, *(y for row in rows for _, y in row["points"])], _HEIGHT - _BOTTOM, _TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" font-size="11">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        _text(_WIDTH / 2, 16, f"{case}: {rows[0]['unit']}", size=13),
        _text(_WIDTH / 2, _HEIGHT - 10, rows[0]["x"]),
    ]
    for value in ys.marks:
        height = ys.at(value)
        parts.append(f'<path d="M{_LEFT} {height:.1f}H{_WIDTH - _RIGHT}" stroke="#ddd"/>')
        parts.append(_text(_LEFT - 6, height + 4, f"{value:,g}", anchor="end"))
    for value in xs.marks:
        parts.append(_text(xs.at(value), _HEIGHT - _BOTTOM + 16, f"{value:,g}"))
    for number, row in enumerate(rows):
        colour = _COLOURS.get(row["server"], "black")
        line = " ".join(f"{xs.at(x):.1f},{ys.at(y):.1f}" for x, y in row["points"])
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        if len(row["points"]) < 20:
            parts += [
                f'<circle cx="{xs.at(x):.1f}" cy="{ys.at(y):.1f}" r="3" fill="{colour}"/>' for x, y in row["points"]
            ]
        parts.append(_text(_LEFT + 80 * number, 36, row["server"], colour, anchor="start"))
    return "\n".join([*parts, "</svg>", ""])


def _text(x: float, y: float, text: str, colour: str = "black", *, anchor: str = "middle", size: int = 11) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" font-size="{size}"'
    return f"<text {place}>{html.escape(text)}</text>"


class _Axis:
    """From values to places between `low` and `high`."""

    def __init__(self, values: Sequence[float], low: float, high: float) -> None:
        self._low, self._high = low, high
        above = [value for value in values if value > 0]
        self._is_log = max(above) > 20 * min(above) and len(set(values)) < 20
        if self._is_log:
            first, last = math.floor(math.log10(min(above))), math.ceil(math.log10(max(above)))
            self.marks = [10.0**exponent for exponent in range(first, last + 1)]
            self._from, self._to = float(first), float(last)
        else:
            step = 10.0 ** math.floor(math.log10(max(above)))
            step = next(part * step for part in (0.2, 0.5, 1, 2) if max(above) / (part * step) <= 6)
            count = math.ceil(max(above) / step)
            self.marks = [number * step for number in range(count + 1)]
            self._from, self._to = 0.0, count * step

    def at(self, value: float) -> float:
        """The place of a value."""
        found = math.log10(max(value, 10.0**self._from)) if self._is_log else value
        return self._low + (found - self._from) / (self._to - self._from) * (self._high - self._low)


if __name__ == "__main__":
    sys.exit(main())
