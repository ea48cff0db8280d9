"""One model on a board that runs serve.c: whether it is the right one, its inputs, runs and outputs."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from mcu_quant import __version__
from mcu_quant.boards import Board
from mcu_quant.codegen.library import build_number
from mcu_quant.deployment import Deployment
from mcu_quant.errors import DeviceError, EngineFailedError
from mcu_quant.verify.serial_link import Command, Hello, Link

_DESCRIPTION, _OUTPUT, _TICKS = range(3)
#: No description is longer, in bytes.
_LONGEST_DESCRIPTION = 4096
#: A board may take so much longer than the kernels' estimate says, which knows no wait states.
_SLOWER = 4.0


@dataclass(frozen=True)
class Timing:
    """What a run took, by the board's counter. layers: ticks of each, if they were asked for."""

    ticks: int
    timer_hz: int
    clock_hz: int
    layers: tuple[int, ...] = ()

    @property
    def seconds(self) -> float:
        return self.ticks / self.timer_hz

    def cycles(self, ticks: int) -> int:
        """Of the CPU, in so many ticks of the counter."""
        return round(ticks * self.clock_hz / self.timer_hz)


class Session:
    """begin() must come first, and again after a SessionLostError, which any of the others may raise."""

    def __init__(self, link: Link, deployment: Deployment, board: Board, where: str) -> None:
        self._link = link
        self._deployment = deployment
        self._board = board
        self._where = where
        self._index = 0
        self._hello = Hello(0, 0, 1, 1)
        self._timer_bits = 32
        self._seconds = _SLOWER * estimated_seconds(deployment, board)

    def begin(self) -> None:
        """Find the model on the board, and reset its state. Raises DeviceError if it is not there."""
        self._hello = self._link.hello()
        self._index = self._find()
        self.reset()

    def reset(self) -> None:
        """The model's state as before its first run."""
        self._link.exchange(Command.RESET, lambda: bytes([self._index]))

    def infer(self, inputs: Sequence[bytes]) -> list[bytes]:
        """The outputs of a run, raw like the inputs."""
        for index, data in enumerate(inputs):
            self._write(index, data)
        self._run(with_layers=False)
        tensors = self._deployment.graph.output_tensors()
        return [self._read(_OUTPUT, self._index, k, tensor.bytes) for k, tensor in enumerate(tensors)]

    def measure(self, inputs: Sequence[bytes], *, with_layers: bool) -> Timing:
        """The time of a run. with_layers: of each layer, too; the counter is then read between them."""
        for index, data in enumerate(inputs):
            self._write(index, data)
        ticks = self._run(with_layers=with_layers)
        layers: tuple[int, ...] = ()
        if with_layers:
            count = len(self._deployment.graph.nodes) + 1
            at_layer = struct.unpack(f"<{count}I", self._read(_TICKS, self._index, 0, 4 * count))
            layers = tuple((b - a) % 2**self._timer_bits for a, b in pairwise(at_layer))
        return Timing(ticks, self._hello.timer_hz, self._hello.clock_hz, layers)

    def _run(self, *, with_layers: bool) -> int:
        reply = self._link.exchange(
            Command.RUN, lambda: bytes([self._index, with_layers]), seconds=self._seconds
        )
        ticks = int.from_bytes(self._sized(reply, 4), "little")
        self._seconds = max(self._seconds, 2 * ticks / self._hello.timer_hz)
        return ticks

    def _write(self, index: int, data: bytes) -> None:
        position = 0

        def payload() -> bytes:
            chunk = data[position : position + self._link.chunk_bytes]
            return struct.pack("<BBI", self._index, index, position) + chunk

        while position < len(data):
            (end,) = struct.unpack("<I", self._sized(self._link.exchange(Command.WRITE, payload), 4))
            if not position < end <= len(data):
                raise self._nonsense(f"{end} as the end of what was written from {position} on")
            position = end

    def _read(self, area: int, model: int, index: int, count: int | None) -> bytes:
        """count: None for all that there is."""
        data = b""
        most = _LONGEST_DESCRIPTION if count is None else count

        def payload() -> bytes:
            wanted = min(self._link.chunk_bytes, most - len(data))
            return struct.pack("<BBBIH", area, model, index, len(data), wanted)

        while len(data) < most:
            chunk = self._link.exchange(Command.READ, payload)
            data += chunk
            if not chunk:
                break
        if len(data) > most or (count is not None and len(data) != count):
            raise self._nonsense(f"{len(data)} bytes where {most} were asked for")
        return data

    def _sized(self, reply: bytes, count: int) -> bytes:
        if len(reply) != count:
            raise self._nonsense(f"{len(reply)} bytes instead of {count}")
        return reply

    def _nonsense(self, value: str) -> EngineFailedError:
        return EngineFailedError(
            "replies must follow the protocol",
            layer=self._where,
            value=value,
            hint="generate, build and flash the project again with this version of mcu-quant",
        )

    def _find(self) -> int:
        """The index of the deployment's model on the board."""
        found = []
        for index in range(self._hello.models):
            facts = self._describe(index)
            if facts.get("fingerprint") == self._deployment.fingerprint:
                self._require_generation(facts)
                self._timer_bits = int(facts.get("timer_bits", 32))
                return index
            found.append(f"{facts.get('model')} with {str(facts.get('fingerprint'))[:12]}")
        raise self._wrong(
            f"the board must run {self._deployment.name}, with the fingerprint "
            f"{self._deployment.fingerprint[:12]}",
            " and ".join(found) or "no model",
        )

    def _describe(self, model: int) -> dict[str, Any]:
        text = self._read(_DESCRIPTION, model, 0, None)
        try:
            facts = json.loads(text)
        except ValueError as error:
            raise self._nonsense(f"a description that is no JSON: {error}") from error
        if not isinstance(facts, dict):
            raise self._nonsense("a description that is no JSON object")
        return facts

    def _require_generation(self, facts: dict[str, Any]) -> None:
        """The same model is not enough: what is verified is the code of these options and this version."""
        named = replace(self._deployment, name=str(facts.get("model")))
        expected: list[tuple[str, str, Callable[[], str]]] = [
            ("board", "be for the board", lambda: self._board.name),
            ("tool", "be of this version of mcu-quant", lambda: __version__),
            ("options", "be generated with these options", self._deployment.options.canonical),
            ("build", "be what is generated now", lambda: build_number(named)),
        ]
        for key, rule, value in expected:
            if facts.get(key) != value():
                raise self._wrong(f"the firmware must {rule} ({value()})", str(facts.get(key)))

    def _wrong(self, rule: str, value: str) -> DeviceError:
        return DeviceError(
            rule,
            layer=self._where,
            value=value,
            hint=f"generate with the same options as here, for --board {self._board.name}; then "
            "`mcu-quant flash PROJECT --program serve`",
        )


def estimated_seconds(deployment: Deployment, board: Board) -> float:
    """Of one inference, by the estimate that kernels are chosen by."""
    nodes = deployment.graph.bound_nodes()
    mode = deployment.options.optimize
    kernels = zip(deployment.kernels, nodes, strict=True)
    return sum(kernel.cycles_in(node, deployment.core, mode) for kernel, node in kernels) / board.clock_hz
