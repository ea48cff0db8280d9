"""Comparing graphs bit by bit."""

from __future__ import annotations

import numpy as np

from mcu_quant.ir import Graph, QuantParams, State, Tensor


def assert_same_graph(actual: Graph, expected: Graph, *, names: bool = True) -> None:
    """Same nodes, tensors, scales and constants, in the same order.

    names: node names too (a .tflite file has none: they are read from the outputs' names).
    """
    assert [_node(node, names) for node in actual.nodes] == [_node(node, names) for node in expected.nodes]
    assert actual.inputs == expected.inputs
    assert actual.outputs == expected.outputs
    assert sorted(actual.tensors) == sorted(expected.tensors)
    assert sorted(map(_state, actual.states)) == sorted(map(_state, expected.states))
    for name, tensor in actual.tensors.items():
        assert_same_tensor(tensor, expected.tensors[name])


def assert_same_tensor(actual: Tensor, expected: Tensor) -> None:
    assert (actual.shape, actual.dtype) == (expected.shape, expected.dtype), actual.name
    assert _canonical(actual.quant) == _canonical(expected.quant), actual.name
    assert actual.is_constant == expected.is_constant, actual.name
    if actual.data is not None and expected.data is not None:
        assert np.array_equal(actual.data.view(np.uint8), expected.data.view(np.uint8)), actual.name


def _node(node: object, names: bool) -> tuple[object, ...]:
    fields = dict(vars(node))
    if not names:
        del fields["name"]
    return tuple(fields.values())


def _state(state: State) -> tuple[str, str, bytes]:
    return state.before, state.after, state.initial.tobytes()


def _canonical(quant: QuantParams | None) -> tuple[object, ...] | None:
    """One scale is per tensor, whatever its axis: the file cannot tell them apart."""
    if quant is None:
        return None
    return quant.scale, quant.zero_point, quant.channel_axis if len(quant.scale) > 1 else None
