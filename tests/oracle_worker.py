"""Run one oracle in this process, for tests/oracles.py: `python oracle_worker.py tflm|litert_ref`.

Messages on stdin and stdout: uint64 length, then an npz.
"""

from __future__ import annotations

import io
import os
import struct
import sys
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

import numpy as np

Run = Callable[[Sequence[np.ndarray]], list[np.ndarray]]
#: TFLM's arena, in bytes: the wheel's own guess (10 times the file) is too small for small files.
_TFLM_ARENA_FACTOR, _TFLM_ARENA_BASE = 12, 4_000_000


def tflm(model: bytes) -> tuple[Run, Callable[[], None]]:
    """(run one sample, forget all state)."""
    from tflite_micro.python.tflite_micro import runtime

    arena = len(model) * _TFLM_ARENA_FACTOR + _TFLM_ARENA_BASE
    interpreter = runtime.Interpreter.from_bytes(model, arena_size=arena)
    outputs = _count_outputs(interpreter.get_output_details)

    def run(inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        for index, value in enumerate(inputs):
            interpreter.set_input(value, index)
        interpreter.invoke()
        return [interpreter.get_output(index).copy() for index in range(outputs)]

    return run, interpreter.reset


def _count_outputs(details: Callable[[int], Any]) -> int:
    count = 0
    while True:
        try:
            details(count)
        except (IndexError, ValueError, RuntimeError):
            return count
        count += 1


def litert_ref(model: bytes) -> tuple[Run, Callable[[], None]]:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(model_content=model, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    interpreter.allocate_tensors()
    inputs_at = [detail["index"] for detail in interpreter.get_input_details()]
    outputs_at = [detail["index"] for detail in interpreter.get_output_details()]

    def run(inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        for index, value in zip(inputs_at, inputs, strict=True):
            interpreter.set_tensor(index, value)
        interpreter.invoke()
        return [interpreter.get_tensor(index) for index in outputs_at]

    return run, interpreter.reset_all_variables


def answer(load: Callable[[bytes], tuple[Run, Callable[[], None]]], message: Any) -> dict[str, np.ndarray]:
    inputs = [
        message[key] for key in sorted((k for k in message if k.startswith("in")), key=lambda k: int(k[2:]))
    ]
    try:
        run, reset = load(message["model"].tobytes())
        samples = []
        for index in range(len(inputs[0])):
            if index and not message["sequence"]:
                reset()
            samples.append(run([array[index] for array in inputs]))
    except (RuntimeError, ValueError) as error:
        return {"refused": np.array(str(error))}
    return {f"out{index}": np.stack(values) for index, values in enumerate(zip(*samples, strict=True))}


def serve(oracle: str, source: BinaryIO, sink: BinaryIO) -> None:
    load = {"tflm": tflm, "litert_ref": litert_ref}[oracle]
    while header := source.read(8):
        (size,) = struct.unpack("<Q", header)
        with np.load(io.BytesIO(source.read(size))) as message:
            reply = answer(load, {key: message[key] for key in message.files})
        packed = io.BytesIO()
        np.savez(packed, **reply)  # type: ignore[arg-type]
        sink.write(struct.pack("<Q", packed.tell()) + packed.getvalue())
        sink.flush()


if __name__ == "__main__":
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the oracle prints must not end up among the replies
    serve(sys.argv[1], sys.stdin.buffer, replies)
