"""Bar charts as SVG, by hand: horizontal bars with a value, a range and the rounds. Light and dark follow the reader."""

import math
from dataclasses import dataclass
from typing import Optional, Tuple
from xml.sax.saxutils import escape

WIDTH, LABELS, RIGHT = 820, 210, 120
TOP, ROW, GAP, BOTTOM = 66, 24, 16, 46

STYLE = """\
  svg { color-scheme: light dark; font: 13px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; }
  .paper { fill: #ffffff; stroke: #d0d7de; } .ink { fill: #1f2328; } .soft { fill: #59636e; } .grid { stroke: #d8dee4; }
  .title { font-size: 16px; font-weight: 600; } .ours { fill: #0969da; } .reference { fill: #1a7f37; } .peer { fill: #9a6700; }
  .range { stroke: #1f2328; stroke-width: 1.2; } .round { fill: #1f2328; fill-opacity: .28; }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #0d1117; stroke: #30363d; } .ink { fill: #f0f6fc; } .soft { fill: #9198a1; } .grid { stroke: #2a313c; }
    .ours { fill: #4493f8; } .reference { fill: #3fb950; } .peer { fill: #d29922; }
    .range { stroke: #f0f6fc; } .round { fill: #f0f6fc; fill-opacity: .35; }
  }"""


@dataclass(frozen=True)
class Bar:
    """One bar; kind is "ours", "reference" or "peer"."""

    label: str
    kind: str
    value: float
    note: str                                    # beside it
    reach: Optional[Tuple[float, float]] = None  # least and most
    rounds: Tuple[float, ...] = ()


def step(most):
    """A round number, of which four to eight make `most`."""
    power = 10 ** math.floor(math.log10(most / 4))
    return next(size * power for size in (1, 2, 5, 10) if most / (size * power) <= 7)


def tick(value):
    return "{:,.10g}".format(value)


def text(x, y, words, style, anchor="start"):
    return '<text x="%.1f" y="%.1f" class="%s" text-anchor="%s">%s</text>' % (x, y, style, anchor, escape(words))


class Scale:
    def __init__(self, most):
        self.step = step(most)
        self.most = math.ceil(most / self.step) * self.step

    def x(self, value):
        return LABELS + (WIDTH - LABELS - RIGHT) * min(max(value, 0), self.most) / self.most

    def ticks(self):
        return [index * self.step for index in range(round(self.most / self.step) + 1)]


def bar_marks(bar, scale, y):
    middle, left = y + ROW / 2 - 3, scale.x(0)
    end = scale.x(bar.value)
    yield text(LABELS - 10, middle + 4.5, bar.label, "ink", "end")
    yield '<rect x="%.1f" y="%.1f" width="%.1f" height="%d" rx="2" class="%s"/>' % (left, y, max(end - left, 1.5), ROW - 6, bar.kind)
    for value in bar.rounds:
        yield '<circle cx="%.1f" cy="%.1f" r="2" class="round"/>' % (scale.x(value), middle)
    if bar.reach:
        low, high = (scale.x(value) for value in bar.reach)
        yield '<path d="M%.1f %.1fH%.1fM%.1f %.1fv6M%.1f %.1fv6" class="range" fill="none"/>' % (low, middle, high, low, middle - 3, high, middle - 3)
        end = max(end, high)
    yield text(end + 8, middle + 4.5, bar.note, "soft")


def chart(title, axis, bars, remark=""):
    """An SVG document; `axis` says what the values are, with the unit."""
    scale = Scale(max([bar.value for bar in bars] + [1e-9]) * 1.0001)
    bottom = TOP + ROW * len(bars)
    height = bottom + BOTTOM + (GAP if remark else 0)
    marks = [text(16, 28, title, "ink title"), text(16, 48, axis, "soft")]
    for value in scale.ticks():
        x = scale.x(value)
        marks.append('<path d="M%.1f %dV%d" class="grid"/>' % (x, TOP - 6, bottom + 2))
        marks.append(text(x, bottom + 18, tick(value), "soft", "middle"))
    for index, bar in enumerate(bars):
        marks += bar_marks(bar, scale, TOP + ROW * index)
    if remark:
        marks.append(text(16, bottom + 44, remark, "soft"))
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s">\n'
        "<style>\n%s\n</style>\n" % (WIDTH, height, WIDTH, height, escape(title, {'"': "&quot;"}), STYLE)
        + '<rect x=".5" y=".5" width="%d" height="%d" rx="6" class="paper"/>\n' % (WIDTH - 1, height - 1)
        + "\n".join(marks) + "\n</svg>\n")
