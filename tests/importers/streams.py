"""Models of .tflite files with variables, built operator by operator: what streaming models are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tests.tflite_builder import Model, Subgraph

SHAPE = (1, 4)
SCALES: Mapping[str, dict[str, Any]] = {
    "int8": {"scale": 0.5, "zero_point": -7},
    "int16": {"scale": 0.01},
    "int32": {},
    "float32": {},
    "bool": {},
}


class Stream:
    """A model with an input x; variables are of its type, unless something else is said."""

    def __init__(self, dtype: str = "int8", shape: tuple[int, ...] = SHAPE) -> None:
        self.model = Model()
        self.main = Subgraph(self.model)
        self.initial: Subgraph | None = None
        self.dtype, self.shape = dtype, shape
        self.x = self.main.input("x", shape, dtype, **SCALES[dtype])
        self.count = 0

    def tensor(self, shape: tuple[int, ...] | None = None, **more: Any) -> int:
        self.count += 1
        kind = {"dtype": self.dtype, **SCALES[self.dtype], **more}
        return self.main.tensor(f"t{self.count}", self.shape if shape is None else shape, **kind)

    def handle(self, name: str, container: str | None = "", graph: Subgraph | None = None) -> int:
        graph = self.main if graph is None else graph
        made = graph.tensor(f"{name}_handle_{len(graph.table.tensors)}", (), "resource")
        options = {"type": "VarHandleOptions", "container": container, "sharedName": name}
        graph.op("VAR_HANDLE", [], [made], **options)
        return made

    def first_value(self, name: str, value: Any, container: str | None = "", **kind: Any) -> None:
        """What a CALL_ONCE assigns. value: an array, or one number for all."""
        if self.initial is None:
            self.initial = Subgraph(self.model)
            options = {"type": "CallOnceOptions", "initSubgraphIndex": self.initial.index}
            self.main.op("CALL_ONCE", [], [], **options)
        array = np.broadcast_to(value, self.shape) if np.ndim(value) == 0 else np.asarray(value)
        kind = kind or {"dtype": self.dtype, **SCALES[self.dtype]}
        handle = self.handle(name, container, self.initial)
        constant = self.initial.constant(f"{name}_{len(self.initial.table.tensors)}", array, **kind)
        self.initial.op("ASSIGN_VARIABLE", [handle, constant], [], type="AssignVariableOptions")

    def read(self, handle: int, output: int | None = None) -> int:
        output = self.tensor() if output is None else output
        self.main.op("READ_VARIABLE", [handle], [output], type="ReadVariableOptions")
        return output

    def assign(self, handle: int, value: int) -> None:
        self.main.op("ASSIGN_VARIABLE", [handle, value], [], type="AssignVariableOptions")

    def add(self, a: int, b: int) -> int:
        total = self.tensor()
        self.main.op("ADD", [a, b], [total], type="AddOptions")
        return total

    def concatenated(self, a: int, b: int, axis: int, shape: tuple[int, ...]) -> int:
        joined = self.tensor(shape)
        self.main.op("CONCATENATION", [a, b], [joined], type="ConcatenationOptions", axis=axis)
        return joined

    def sliced(self, x: int, begin: tuple[int, ...], shape: tuple[int, ...]) -> int:
        part = self.tensor(shape)
        constants = [self.main.constant(f"c{part}_{i}", v) for i, v in enumerate((begin, shape))]
        self.main.op("SLICE", [x, *constants], [part], type="SliceOptions")
        return part

    def file(self, *outputs: int) -> bytes:
        self.main.outputs(*outputs)
        return self.model.file()


def last_input(dtype: str = "int8", first: Any = None) -> bytes:
    """The output is the input of the run before."""
    stream = Stream(dtype)
    if first is not None:
        stream.first_value("v", first)
    handle = stream.handle("v")
    before = stream.read(handle)
    stream.assign(handle, stream.x)
    return stream.file(before)


def counter(dtype: str = "int8") -> bytes:
    """total += x; the outputs are the total and what it was."""
    stream = Stream(dtype)
    stream.first_value("total", 3)
    handle = stream.handle("total")
    before = stream.read(handle)
    stream.assign(handle, stream.add(before, stream.x))
    return stream.file(stream.read(handle), before)


def delay_line(dtype: str = "int8") -> bytes:
    """The last five inputs, oldest first: concatenation and slice, as converters write a ring buffer."""
    stream = Stream(dtype, (1, 1, 3))
    stream.first_value("ring", np.arange(12).reshape(1, 4, 3) % 2)
    handle = stream.handle("ring")
    window = stream.concatenated(stream.read(handle, stream.tensor((1, 4, 3))), stream.x, 1, (1, 5, 3))
    stream.assign(handle, stream.sliced(window, (0, 1, 0), (1, 4, 3)))
    return stream.file(window)


def float_ring(scale: float = 0.5, first: float = 0.0) -> bytes:
    """The last five inputs of an int8 model in a float32 variable, as TensorFlow's converter leaves it.

    scale: of the window, which is quantized; 0.5 is that of x.
    """
    stream, floats = Stream("int8", (1, 1, 3)), {"dtype": "float32", "scale": None, "zero_point": 0}
    stream.first_value("ring", np.full((1, 4, 3), first), dtype="float32")
    handle = stream.handle("ring")
    before = stream.read(handle, stream.tensor((1, 4, 3), **floats))
    x, joined = stream.tensor(**floats), stream.tensor((1, 5, 3), **floats)
    stream.main.op("DEQUANTIZE", [stream.x], [x], type="DequantizeOptions")
    stream.main.op("CONCATENATION", [before, x], [joined], type="ConcatenationOptions", axis=1)
    window, kept = (stream.tensor(shape, scale=scale) for shape in ((1, 5, 3), (1, 4, 3)))
    stream.main.op("QUANTIZE", [joined], [window], type="QuantizeOptions")
    begin, size = (stream.main.constant(n, v) for n, v in (("begin", (0, 1, 0)), ("size", (1, 4, 3))))
    stream.main.op("SLICE", [window, begin, size], [kept], type="SliceOptions")
    after = stream.tensor((1, 4, 3), **floats)
    stream.main.op("DEQUANTIZE", [kept], [after], type="DequantizeOptions")
    stream.assign(handle, after)
    return stream.file(window)


def exchanged() -> bytes:
    """Two variables that are each other's next value, one of them plus x."""
    stream = Stream()
    for name, first in (("a", 5), ("b", -20)):
        stream.first_value(name, first)
    handles = stream.handle("a"), stream.handle("b")
    a, b = (stream.read(handle) for handle in handles)
    stream.assign(handles[0], stream.add(b, stream.x))
    stream.assign(handles[1], a)
    return stream.file(a, b)


def assigned_twice() -> bytes:
    """A variable that is read before, between and after two assignments."""
    stream = Stream()
    stream.first_value("v", 1)
    handle = stream.handle("v")
    before = stream.read(handle)
    stream.assign(handle, stream.add(before, stream.x))
    between = stream.read(handle)
    stream.assign(stream.handle("v"), stream.add(between, before))
    return stream.file(before, between, stream.read(handle))


def in_containers() -> bytes:
    """Variables of one name in two containers."""
    stream = Stream()
    stream.first_value("v", 1, "c")
    stream.first_value("v", 2, "d")
    one, other = stream.handle("v", "c"), stream.handle("v", "d")
    outputs = stream.read(one), stream.read(other)
    stream.assign(one, stream.x)
    return stream.file(*outputs)


def no_container() -> bytes:
    """A container that is absent is the one without a name."""
    stream = Stream()
    stream.first_value("v", 2, None)
    handle = stream.handle("v", "")
    before = stream.read(handle)
    stream.assign(handle, stream.x)
    return stream.file(before)


def assigned_before_it_is_read() -> bytes:
    """Nothing of it outlives a run."""
    stream = Stream()
    stream.first_value("v", 1)
    handle = stream.handle("v")
    stream.assign(handle, stream.x)
    return stream.file(stream.add(stream.read(handle), stream.x))


def constant() -> bytes:
    """A variable that no run changes."""
    stream = Stream()
    stream.first_value("v", [[1, -2, 3, 4]])
    return stream.file(stream.add(stream.read(stream.handle("v")), stream.x))


def never_read() -> bytes:
    """One variable is only written, another is a counter that no output needs."""
    stream = Stream()
    stream.first_value("unread", 1)
    stream.first_value("counter", 1)
    stream.assign(stream.handle("unread"), stream.x)
    handle = stream.handle("counter")
    stream.assign(handle, stream.add(stream.read(handle), stream.x))
    return stream.file(stream.add(stream.x, stream.x))


def constant_in_the_run() -> bytes:
    """A variable that every run sets to the same: its first value is seen once."""
    stream = Stream()
    stream.first_value("v", 100)
    handle = stream.handle("v")
    before = stream.read(handle)
    stream.assign(handle, stream.main.constant("again", np.full(SHAPE, 9), "int8", **SCALES["int8"]))
    return stream.file(before, stream.x)


def open_shape() -> bytes:
    """The converter left the size of what is read open."""
    stream = Stream()
    stream.first_value("v", 1)
    handle = stream.handle("v")
    before = stream.read(handle, stream.tensor((1, 1), signature=(1, -1)))
    stream.assign(handle, stream.x)
    return stream.file(before)


def never_assigned() -> bytes:
    """No runtime gives the variable a value: it is refused."""
    stream = Stream()
    return stream.file(stream.read(stream.handle("v")))


STREAMS: Mapping[str, Callable[[], bytes]] = {
    **{f"last_{dtype}": lambda dtype=dtype: last_input(dtype, 1) for dtype in SCALES},
    **{f"counter_{dtype}": lambda dtype=dtype: counter(dtype) for dtype in ("int8", "int16", "int32")},
    **{f"delay_line_{dtype}": lambda dtype=dtype: delay_line(dtype) for dtype in ("int8", "float32", "bool")},
    "float_ring": float_ring,
    "float_ring_of_another_scale": lambda: float_ring(0.3, 2.75),
    "exchanged": exchanged,
    "assigned_twice": assigned_twice,
    "in_containers": in_containers,
    "no_container": no_container,
    "assigned_before_it_is_read": assigned_before_it_is_read,
    "constant": constant,
    "never_read": never_read,
    "constant_in_the_run": constant_in_the_run,
}
