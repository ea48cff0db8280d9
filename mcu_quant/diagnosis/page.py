"""The report of `diagnose --html`: one HTML file with its plots as inline SVG, without scripts or addresses.

Python decides where everything is drawn; templates/diagnosis/report.html.j2 writes it down and escapes
all names.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from jinja2 import Environment

from mcu_quant.codegen.templates import environment
from mcu_quant.diagnosis.layers import LayerFacts
from mcu_quant.diagnosis.search import Search
from mcu_quant.evaluation.candidates import name_of

if TYPE_CHECKING:
    from mcu_quant.diagnosis import Diagnosis

#: Pixels of a layer's plots.
WIDTH, HEIGHT = 420, 130
#: Pixels of the overview's plot of noise: a row for each layer.
ROW, BAR = 20, 300
#: Pixels of the plot of remedies.
SCATTER_WIDTH, SCATTER_HEIGHT, MARGIN = 520, 260, 44
#: dB that fill a cell's bar.
FULL_DB = 60.0
#: An exact model is drawn this much above the best of the others.
_EXACT_DB = 6.0
#: Powers of ten from the foot to the top of logarithmic plots: of counts, of weights.
_COUNT_DECADES, _WEIGHT_DECADES = 5.0, 3.0


@dataclass(frozen=True)
class Histogram:
    """Paths of both distributions, counts on a log scale. stored: x of the calibrated range's ends."""

    real: str
    quantized: str
    low: str
    high: str
    zero: float | None
    stored: tuple[float, float] | None


@dataclass(frozen=True)
class Strip:
    """Channels of the weights from left to right. bars: (x, y, width, height, tooltip)."""

    bars: tuple[tuple[float, float, float, float, str], ...]
    largest: str
    median_y: float


@dataclass(frozen=True)
class Point:
    x: float
    y: float
    name: str
    best: bool
    labelled: bool
    label_y: float
    anchor: str


@dataclass(frozen=True)
class Scatter:
    """Remedies: bytes to the right, what is judged upward."""

    points: tuple[Point, ...]
    left: str
    right: str
    bottom: str
    top: str
    judged: str


@cache
def _environment() -> Environment:
    made = environment("diagnosis", escape=True)
    made.filters |= {"number": number, "percent": percent, "sentence": sentence}
    return made


def render(found: Diagnosis) -> str:
    """The page. Byte-reproducible: it has no dates and no paths."""
    at_fault = {finding.layer for finding in found.faults}
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            found=found,
            name=name_of(found.options),
            overview=_overview(found.layers, at_fault),
            layers=[_layer(index, layer, at_fault) for index, layer in enumerate(found.layers)],
            notes=[finding for finding in found.findings if finding.severity == "note"],
            worst_columns=_worst_columns(found.observed.worst),
            scatter=None if found.search is None else scatter(found.search),
            width=WIDTH,
            height=HEIGHT,
            row=ROW,
            bar=BAR,
            scatter_width=SCATTER_WIDTH,
            scatter_height=SCATTER_HEIGHT,
            margin=MARGIN,
        )
    )


def number(value: float | None, form: str = ".1f") -> str:
    return "–" if value is None else format(value, form)


def percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share else "0"


def sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _overview(layers: Sequence[LayerFacts], at_fault: set[str]) -> list[dict[str, Any]]:
    largest = max((layer.noise_share for layer in layers), default=0.0) or 1.0
    return [
        {
            "layer": layer,
            "y": ROW * index,
            "width": round(BAR * layer.noise_share / largest, 1),
            "fault": layer.name in at_fault,
        }
        for index, layer in enumerate(layers)
    ]


def _layer(index: int, layer: LayerFacts, at_fault: set[str]) -> dict[str, Any]:
    return {
        "index": index,
        "facts": layer,
        "fault": layer.name in at_fault,
        "histogram": histogram(layer),
        "strip": None if layer.weights is None else strip(layer.weights.magnitudes),
        "db_width": 0.0 if layer.sqnr_db is None else round(min(max(layer.sqnr_db, 0) / FULL_DB, 1) * 100, 1),
    }


def histogram(layer: LayerFacts) -> Histogram:
    facts: Any = layer.histogram
    start, width = float(facts["start"]), float(facts["width"]) or 1.0
    real, quantized = facts["float"], facts["quantized"]
    end = start + width * len(real)
    low, high = start, end
    if layer.stored_range is not None:
        low, high = min(low, layer.stored_range[0]), max(high, layer.stored_range[1])
    tallest = max(max(real), max(quantized))

    def x(value: float) -> float:
        return round(WIDTH * (value - low) / (high - low), 1)

    def path(counts: Sequence[int], closed: bool) -> str:
        steps = [f"M{x(start)} {HEIGHT}"]
        for index, count in enumerate(counts):
            y = round(HEIGHT * (1.0 - log_share(count, tallest, _COUNT_DECADES)), 1)
            steps.append(f"L{x(start + index * width)} {y}H{x(start + (index + 1) * width)}")
        return "".join([*steps, f"L{x(end)} {HEIGHT}", "Z" if closed else ""])

    return Histogram(
        path(real, True),
        path(quantized, False),
        f"{low:.4g}",
        f"{high:.4g}",
        x(0.0) if low < 0.0 < high else None,
        None if layer.stored_range is None else (x(layer.stored_range[0]), x(layer.stored_range[1])),
    )


def log_share(value: float, largest: float, decades: float) -> float:
    """Of the plot's height, on a logarithmic scale of so many decades; 0 for nothing."""
    if value <= 0:
        return 0.0
    return max(0.02, 1.0 + math.log10(value / largest) / decades)


def strip(magnitudes: Sequence[float]) -> Strip:
    """Bars on a logarithmic scale: what is a tenth of the largest is a third of the height lower."""
    largest = max(magnitudes) or 1.0
    step = WIDTH / len(magnitudes)
    bars = []
    for index, value in enumerate(magnitudes):
        height = round(HEIGHT * log_share(value, largest, _WEIGHT_DECADES), 1)
        gap = 1.0 if step > 3.0 else 0.0
        bars.append(
            (round(index * step, 2), HEIGHT - height, round(step - gap, 2), height, f"{index}: {value:.4g}")
        )
    alive = sorted(value for value in magnitudes if value > 0.0) or [largest]
    median = HEIGHT * (1.0 - log_share(alive[len(alive) // 2], largest, _WEIGHT_DECADES))
    return Strip(tuple(bars), f"{largest:.4g}", round(median, 1))


def scatter(search: Search) -> Scatter:
    judged, values = _judged(search)
    sizes = [trial.bytes for trial in search.trials]
    left, right, bottom, top = min(sizes), max(sizes), min(values), max(values)
    points = []
    for trial, value in zip(search.trials, values, strict=True):
        across = (trial.bytes - left) / (right - left) if right > left else 0.5
        up = (value - bottom) / (top - bottom) if top > bottom else 0.5
        x = MARGIN + across * (SCATTER_WIDTH - 2 * MARGIN)
        y = SCATTER_HEIGHT - MARGIN - up * (SCATTER_HEIGHT - 2 * MARGIN)
        anchor = "start" if across < 0.5 else "end"
        best = trial.name in search.front
        labelled = best or trial is search.trials[0]
        points.append(Point(round(x, 1), round(y, 1), trial.name, best, labelled, y, anchor))
    shown = _without_overlap(points)
    return Scatter(tuple(shown), f"{left:,}", f"{right:,}", f"{bottom:.4g}", f"{top:.4g}", judged)


def _judged(search: Search) -> tuple[str, list[float]]:
    """What is drawn upward: accuracy or agreement where trials differ in it, else SQNR."""
    trials = search.trials
    accuracies = [trial.fidelity.accuracy for trial in trials]
    if all(accuracy is not None for accuracy in accuracies):
        scores = [accuracy.score for accuracy in accuracies if accuracy is not None]
        if len(set(scores)) > 1:
            return str(accuracies[0].metric if accuracies[0] else ""), scores
    known = [trial.fidelity.sqnr_db for trial in trials if trial.fidelity.sqnr_db is not None]
    exact = max(known, default=0.0) + _EXACT_DB
    return "SQNR, dB", [exact if t.fidelity.sqnr_db is None else t.fidelity.sqnr_db for t in trials]


def _without_overlap(points: Sequence[Point]) -> list[Point]:
    """Labels moved apart, upward where the foot of the plot is near; names of the rest are tooltips."""
    placed: list[Point] = []
    for point in sorted(points, key=lambda p: p.y):
        y = min(point.y, SCATTER_HEIGHT - MARGIN)
        if point.labelled:
            near = [other.label_y for other in placed if other.labelled]
            while any(abs(taken - y) < 13 for taken in near):
                y = y + 13 if y + 13 < SCATTER_HEIGHT - MARGIN / 2 else min(near) - 13
        placed.append(replace(point, label_y=round(y, 1)))
    return placed


def _worst_columns(worst: Sequence[dict[str, Any]]) -> list[str]:
    order = ("index", "output_sqnr_db", "float_class", "quantized_class", "label")
    return [column for column in order if worst and column in worst[0]]
