"""The order in which a model's calls run."""

from __future__ import annotations

import heapq

from mcu_quant.errors import InvalidModelError
from mcu_quant.importers.keras_config import LayerConfig, ModelConfig


def execution_order(model: ModelConfig) -> list[tuple[LayerConfig, int]]:
    """(layer, place in its calls), each after what it reads, else in the config's order."""
    calls = {
        (layer.name, index): (place, layer, {(ref.layer, ref.node) for ref in call.refs()})
        for place, layer in enumerate(model.layers)
        for index, call in enumerate(layer.calls)
    }
    sources = {(layer.name, 0) for layer in model.layers if layer.class_name == "InputLayer"}
    readers: dict[tuple[str, int], list[tuple[str, int]]] = {}
    waiting: dict[tuple[str, int], int] = {}
    for key, (_, _, needs) in calls.items():
        for need in needs:
            if need not in calls and need not in sources:
                raise InvalidModelError(
                    "a layer must read outputs that exist", layer=key[0], value=f"{need[0]}, node {need[1]}"
                )
            readers.setdefault(need, []).append(key)
        waiting[key] = len(needs - sources)
    ready = [(calls[key][0], key[1], key) for key, count in waiting.items() if count == 0]
    heapq.heapify(ready)
    order = []
    while ready:
        _, index, key = heapq.heappop(ready)
        order.append((calls[key][1], index))
        for reader in readers.get(key, ()):
            waiting[reader] -= 1
            if waiting[reader] == 0:
                heapq.heappush(ready, (calls[reader][0], reader[1], reader))
    if len(order) != len(calls):
        stuck = sorted(key[0] for key, count in waiting.items() if count > 0)
        raise InvalidModelError("layers must not read each other in a circle", layer=stuck[0])
    return order
