"""Ring buffers of imported models: slid in place where nothing else needs what they were, else left alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mcu_quant.deployment import GenerateOptions
from mcu_quant.importers.tflite import read_tflite
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.optimize import optimize
from mcu_quant.optimize.slides import find_slides
from mcu_quant.verify.host import HostEngine
from tests.codegen.deployments import deploy
from tests.importers.streams import Stream

ROWS, FRAME = 4, (1, 1, 3)
KEPT, WINDOW = (1, ROWS, 3), (1, ROWS + 1, 3)


def ring(
    *,
    new_first: bool = False,
    begin: int = 1,
    read_twice: bool = False,
    kept_is_output: bool = False,
    next_is_output: bool = False,
    shared: bool = False,
) -> bytes:
    """A ring buffer of ROWS rows, and what is unusual about it; its outputs are made of the window."""
    stream = Stream("int8", FRAME)
    stream.first_value("ring", np.arange(12).reshape(KEPT))
    if shared:
        stream.first_value("other", np.ones(KEPT, int))
    handle = stream.handle("ring")
    kept = stream.read(handle, stream.tensor(KEPT))
    both = (stream.x, kept) if new_first else (kept, stream.x)
    window = stream.concatenated(*both, 1, WINDOW)
    following = stream.sliced(window, (0, begin, 0), KEPT)
    stream.assign(handle, following)
    outputs = [stream.sliced(window, (0, 2, 0), FRAME), stream.sliced(window, (0, 0, 1), (1, ROWS + 1, 1))]
    if read_twice:
        outputs.append(stream.sliced(kept, (0, 0, 0), FRAME))
    outputs += [kept] if kept_is_output else [following] if next_is_output else []
    if shared:
        other = stream.handle("other")
        outputs.append(stream.read(other, stream.tensor(KEPT)))
        stream.assign(other, following)
    return stream.file(*outputs)


LEFT_ALONE: dict[str, Callable[[], bytes]] = {
    "new_rows_first": lambda: ring(new_first=True),
    "first_rows": lambda: ring(begin=0),
    "read_twice": lambda: ring(read_twice=True),
    "kept_is_output": lambda: ring(kept_is_output=True),
    "next_is_output": lambda: ring(next_is_output=True),
    "shared": lambda: ring(shared=True),
}


def assert_same_bytes(file: bytes) -> None:
    graph = read_tflite(file, "ring")
    x = np.random.default_rng(0).integers(-128, 128, (50, *FRAME)).astype(np.int8)
    expected = run_graph(graph, [x])
    results = run_graph(optimize(graph, GenerateOptions()), [x]), HostEngine(deploy(graph, "ring")).run([x])
    for actual in results:
        for one, other in zip(actual, expected, strict=True):
            np.testing.assert_array_equal(one, other)


def test_it_is_slid_in_place() -> None:
    graph = find_slides(read_tflite(ring(), "ring"))
    assert [node.op for node in graph.nodes] == ["slide", "strided_slice", "strided_slice"]
    (state,) = graph.states
    assert graph.tensors[state.after].shape == WINDOW
    np.testing.assert_array_equal(state.initial[:, 1:], np.arange(12).reshape(KEPT))
    assert_same_bytes(ring())


@pytest.mark.parametrize("name", LEFT_ALONE)
def test_others_are_left_alone(name: str) -> None:
    graph = read_tflite(LEFT_ALONE[name](), "ring")
    assert find_slides(graph) is graph
    assert_same_bytes(LEFT_ALONE[name]())
