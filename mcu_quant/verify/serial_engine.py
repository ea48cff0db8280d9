"""A board at a serial port as an engine: samples go there one by one, outputs come back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from mcu_quant.boards import Board
from mcu_quant.codegen.project import unpack_samples
from mcu_quant.deployment import Deployment
from mcu_quant.errors import EngineFailedError
from mcu_quant.verify.serial_link import Link, SessionLostError
from mcu_quant.verify.serial_port import PortOptions, open_port
from mcu_quant.verify.serial_session import Session, Timing

T = TypeVar("T")
#: A board that has started anew so often without getting on is given up.
_RESTARTS = 5


class SerialEngine:
    """run: [N, *shape] raw quantized arrays in and out, on the board itself.

    A board that starts anew in the middle begins with the sample that it was at, and a model with state with
    the first. repeated, restarts: what it took in the last run.
    """

    def __init__(self, deployment: Deployment, board: Board, port: PortOptions) -> None:
        self.name = board.name
        self.repeated = 0
        self.restarts = 0
        self._deployment = deployment
        self._board = board
        self._options = port

    @property
    def line(self) -> str:
        """What the last run noticed of the line and the board; "" where all went well."""
        if not self.repeated and not self.restarts:
            return ""
        resets = f", and the board reset {self.restarts} times" if self.restarts else ""
        return f"{self.name}: {self.repeated} requests were lost or damaged, and sent again{resets}"

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        graph = self._deployment.graph
        count = len(inputs[0])
        outputs: list[bytes] = []

        def get_on(session: Session) -> None:
            if graph.states:
                outputs.clear()
            while len(outputs) < count:
                k = len(outputs)
                sample = [np.ascontiguousarray(x[k]).tobytes() for x in inputs]
                outputs.append(b"".join(session.infer(sample)))

        self._with_session(get_on, lambda: len(outputs))
        return unpack_samples(b"".join(outputs), graph.output_tensors())

    def measure(self, inputs: Sequence[np.ndarray], *, runs: int = 3) -> tuple[list[Timing], Timing, bytes]:
        """Sample 0: the times of some runs, the time with each layer's, and the outputs."""
        sample = [np.ascontiguousarray(x[0]).tobytes() for x in inputs]

        def once(session: Session) -> tuple[list[Timing], Timing, bytes]:
            plain = []
            for _ in range(runs):
                session.reset()
                plain.append(session.measure(sample, with_layers=False))
            session.reset()
            layered = session.measure(sample, with_layers=True)
            session.reset()
            return plain, layered, b"".join(session.infer(sample))

        return self._with_session(once, lambda: 0)

    def _with_session(self, work: Callable[[Session], T], progress: Callable[[], int]) -> T:
        """Do the work, again where the board starts anew. progress: a number that grows where it gets on."""
        self.restarts = 0
        with open_port(self._options, self._board.console.baud) as port:
            link = Link(port, self._options.timeout)
            session = Session(link, self._deployment, self._board, f"{self._board.name} at {port.name}")
            best, failures = -1, 0
            try:
                while True:
                    try:
                        session.begin()
                        return work(session)
                    except SessionLostError:
                        self.restarts += 1
                    failures = 0 if progress() > best else failures + 1
                    best = max(best, progress())
                    if failures == _RESTARTS:
                        raise self._restarts_always(port.name)
            finally:
                self.repeated = link.repeated

    def _restarts_always(self, where: str) -> EngineFailedError:
        return EngineFailedError(
            "the board must not reset again and again",
            layer=f"{self.name} at {where}",
            value=f"{self.restarts} resets",
            hint="a watchdog that nobody feeds, a weak supply, "
            "or a fault in the program: a debugger shows it",
        )
