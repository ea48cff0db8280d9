"""Repairs without training, in the order in which they build on each other: equalize, adaround, bias.

equalize changes the float model before calibration (equalize.py); the other two go layer by layer after it
(layerwise.py). All of them need only the calibration samples, which are run through again for each.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from mcu_quant.errors import InvalidInputError
from mcu_quant.ir import Graph
from mcu_quant.quantize import samples as sampling
from mcu_quant.quantize.calibration import Progress, observe_all
from mcu_quant.quantize.equalize import PeakFinder, equalized, pairs
from mcu_quant.quantize.masks import with_bounded_masks
from mcu_quant.quantize_options import QuantizeOptions

#: Samples that layerwise repairs use at most, spread over all that there are.
REPAIR_SAMPLES = 256
#: Their largest activation's elements, all samples together.
_MAX_ELEMENTS = 2**25


def check_repairs(repairs: Sequence[str], samples: Iterable[Any]) -> None:
    """Raise InvalidInputError for repairs with samples that can be run through only once."""
    if repairs and iter(samples) is samples:
        raise InvalidInputError(
            "repairs run through the samples several times",
            value="an iterator, which can be run through once",
            hint="an array, a list, or a generator function",
        )


def equalize(graph: Graph, samples: Iterable[Any], per_tensor: bool, progress: Progress | None) -> Graph:
    """The float graph with equalized channels; one pass over the samples, for their peaks."""
    if not any(pairs(graph)):
        return graph
    finder = PeakFinder(graph)
    observe_all(graph, samples, finder.observe, progress, sampling.count(graph, samples))
    return equalized(graph, finder.peaks, per_tensor)


def settled(
    graph: Graph, samples: Iterable[Any], options: QuantizeOptions, progress: Progress | None = None
) -> Graph:
    """The float graph as it is calibrated: with near masks, and equalized if the options say so."""
    graph = with_bounded_masks(graph, samples, progress)
    if "equalize" in options.repairs:
        graph = equalize(graph, samples, options.per_tensor, progress)
    return graph


def repair_inputs(graph: Graph, samples: Iterable[Any]) -> list[np.ndarray]:
    """float32 [N, *shape] for each input: at most REPAIR_SAMPLES, evenly spread over all samples."""
    total = sum(len(batch[0]) for batch in sampling.batches(graph, samples))
    largest = max(t.elements for t in graph.tensors.values() if not t.is_constant)
    wanted = max(1, min(total, REPAIR_SAMPLES, _MAX_ELEMENTS // largest))
    chosen = np.arange(wanted) * total // wanted
    kept, start = [], 0
    for batch in sampling.batches(graph, samples):
        here = chosen[(chosen >= start) & (chosen < start + len(batch[0]))] - start
        kept.append([array[here] for array in batch])
        start += len(batch[0])
    return [np.concatenate(arrays) for arrays in zip(*kept, strict=True)]
