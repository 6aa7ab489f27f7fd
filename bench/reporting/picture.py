"""Draws the picture: throughput and latency over the number of calls in flight, as SVG that is legible on light and dark
backgrounds."""

import math
import xml.sax.saxutils

WIDTH, HEIGHT = 760, 640
LEFT, RIGHT = 78, 730
PANELS = {"rate": (56, 292), "latency": (356, 574)}  # y of the top and the bottom
DRIVERS = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-size: 15px; font-weight: 600 }
.grid { stroke: #d0d7de; stroke-width: 1 }
.sqlite, .postgresql { stroke-width: 2; fill: none }
.p99 { stroke-dasharray: 6 4 }
.sqlite { stroke: #0757ba } circle.sqlite, text.sqlite { fill: #0757ba }
.postgresql { stroke: #b34700 } circle.postgresql, text.postgresql { fill: #b34700 }
text.sqlite, text.postgresql { stroke: none; font-weight: 600 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .grid { stroke: #3d444d }
  .sqlite { stroke: #6cb2ff } circle.sqlite, text.sqlite { fill: #6cb2ff }
  .postgresql { stroke: #ffa45c } circle.postgresql, text.postgresql { fill: #ffa45c }
}
"""


def _text(x, y, text, css="", anchor="start"):
    return '<text x="%.1f" y="%.1f"%s text-anchor="%s">%s</text>' % (
        x, y, ' class="%s"' % css if css else "", anchor, xml.sax.saxutils.escape(text))


def _line(x1, y1, x2, y2):
    return '<line class="grid" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>' % (x1, y1, x2, y2)


class Panel:
    """A rectangle with a scale. `place` returns the y of a value. The x axis shows the calls in flight on a logarithmic scale."""

    def __init__(self, name, in_flight, place):
        self.top, self.bottom = PANELS[name]
        self.in_flight, self.place_share = in_flight, place

    def x(self, in_flight):
        least, most = math.log2(self.in_flight[0]), math.log2(self.in_flight[-1])
        return LEFT + (math.log2(in_flight) - least) / (most - least) * (RIGHT - LEFT)

    def y(self, value):
        return self.bottom - self.place_share(value) * (self.bottom - self.top)

    def frame(self, title, ticks, label):
        """Draws the title and the grid. `ticks` are the values at the lines of the y axis."""
        lines = [_text(LEFT, self.top - 14, title, "title")]
        for value in ticks:
            y = self.y(value)
            lines += [_line(LEFT, y, RIGHT, y), _text(LEFT - 8, y + 4, label(value), anchor="end")]
        for count in self.in_flight:
            lines += [_line(self.x(count), self.top, self.x(count), self.bottom),
                      _text(self.x(count), self.bottom + 18, "{:,}".format(count), anchor="middle")]
        return lines

    def curve(self, values, css):
        """Draws a line with its points. Each point shows its value when the pointer is over it."""
        points = [(self.x(count), self.y(value)) for count, value in zip(self.in_flight, values)]
        lines = ['<polyline class="%s" points="%s"/>' % (css, " ".join("%.1f,%.1f" % point for point in points))]
        for (x, y), value in zip(points, values):
            lines.append('<circle class="%s" cx="%.1f" cy="%.1f" r="3.5"><title>%s</title></circle>' % (
                css.split()[0], x, y, "{:,.0f}".format(value) if value >= 100 else "%.2f" % value))
        return lines


def _steps(least_power, most_power):
    """Returns 1, 2 and 5 times each power of ten, from 10**least_power to 10**most_power."""
    return [step * 10.0 ** power for power in range(least_power, most_power + 1) for step in (1, 2, 5)]


def even_ticks(greatest):
    """Returns evenly spaced ticks from 0 to at least `greatest`, in at most five steps."""
    step = next(step for step in _steps(0, 9) if greatest <= 5 * step)
    return [step * count for count in range(math.ceil(greatest / step) + 1)]


def log_ticks(least, greatest):
    """Returns ticks from at most `least` up to at least `greatest`."""
    steps = _steps(-6, 9)
    return [step for step, after in zip(steps, steps[1:]) if after > least and step < greatest] + \
        [next(step for step in steps if step >= greatest)]


def _rates(rounds, in_flight):
    rates = {driver: [rounds.median("%s %d" % (driver, count)) for count in in_flight] for driver in DRIVERS}
    ticks = even_ticks(max(max(values) for values in rates.values()))
    panel = Panel("rate", in_flight, lambda value: value / ticks[-1])
    lines = panel.frame("confirmed bookings per second", ticks, "{:,.0f}".format)
    for driver, values in rates.items():
        lines += panel.curve(values, driver)
    return lines


def _latencies(rounds, in_flight):
    curves = {(driver, figure): [rounds.median("%s %d" % (driver, count), figure + "_ms") for count in in_flight]
              for driver in DRIVERS for figure in ("p50", "p99")}
    everything = [value for values in curves.values() for value in values]
    ticks = log_ticks(min(everything), max(everything))
    least, most = math.log10(ticks[0]), math.log10(ticks[-1])
    panel = Panel("latency", in_flight, lambda value: (math.log10(value) - least) / (most - least))
    lines = panel.frame("latency in ms: p50, and p99 dashed", ticks, lambda value: "%g" % value)
    for (driver, figure), values in curves.items():
        lines += panel.curve(values, "%s %s" % (driver, figure))
    return lines


def draw(rounds):
    """Draws the whole picture. If `rounds` is None, the picture contains only the text "not measured"."""
    lines = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img"' % (
        WIDTH, HEIGHT, WIDTH, HEIGHT), ' aria-label="Throughput and latency over calls in flight">', "<style>%s</style>" % STYLE]
    if rounds is None:
        lines.append(_text(WIDTH / 2, HEIGHT / 2, "not measured", anchor="middle"))
    else:
        in_flight = sorted({int(name.split()[1]) for name in rounds.names()})
        lines += _rates(rounds, in_flight) + _latencies(rounds, in_flight)
        lines.append(_text((LEFT + RIGHT) / 2, PANELS["latency"][1] + 42, "calls in flight", anchor="middle"))
        for place, (driver, label) in enumerate(DRIVERS.items()):
            lines.append(_text(RIGHT - 170 + place * 80, PANELS["rate"][0] - 14, label, driver))
    return "\n".join([*lines, "</svg>", ""])
