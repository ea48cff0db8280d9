"""How near a kernel's `cycles`, by which it is chosen, is to what the layers of the published models take.

    python tools/cost_model.py [--board BOARD ...] [--all]

Estimates are of this checkout, cycles those of docs/benchmarks.json (`make bench`). Prints the layers beyond
their bound, or all; exits with 1 if there are any.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from measure import MODELS, SHARED
from results import Case, Result, cases, load

from mcu_quant import pipeline
from mcu_quant.deployment import OPTIMIZE_MODES, GenerateOptions
from mcu_quant.kernels.base import Kernel
from mcu_quant.ops import OPERATORS

#: One for each family of kernels.
BOARDS = ("mps2_an386", "mps3_an547", "mps2_an385_m0plus", "mps2_an385")
#: How far an estimate may be off for layers that take a share of SMALL of their model or more, and for the
#: others, where calls and what is set up once count (not portable kernels', which need only be the slowest).
BOUND, SMALL, BOUND_OF_SMALL = 0.10, 0.01, 0.50


@dataclass(frozen=True)
class Layer:
    """kernel: the one chosen now; stored: the one that was measured. share: of the model's cycles."""

    case: Case
    index: int
    kernel: Kernel
    stored: str
    shapes: str
    estimated: float
    measured: int
    share: float

    @property
    def error(self) -> float:
        return self.estimated / max(self.measured, 1) - 1

    @property
    def is_beyond(self) -> bool:
        """Not so where another kernel was measured."""
        if self.kernel.name != self.stored:
            return False
        if self.share >= SMALL:
            return abs(self.error) > BOUND
        return self.kernel.family != "portable" and abs(self.error) > BOUND_OF_SMALL

    def __str__(self) -> str:
        return (
            f"{self.case} {self.index:2} {self.kernel.name:32} {self.shapes:40} {self.estimated:12,.0f} for "
            f"{self.measured:12,} {self.error:+7.1%} ({self.share:.1%} of the model)"
        )


def stored_cases(results: Mapping[str, Result], boards: Sequence[str] = BOARDS) -> list[Case]:
    """Those of the boards that are stored, in every mode."""
    every = (case for board in boards for mode in OPTIMIZE_MODES for case in cases(board, mode))
    return [case for case in every if str(case) in results]


def layers_of(case: Case, result: Result) -> Iterator[Layer]:
    """Those of one measured case, but what takes no cycles at all."""
    if result is None:
        return
    model = pipeline.load(SHARED / "models" / f"{MODELS[case.model]}.tflite", case.model)
    assert isinstance(model, pipeline.TfliteModel)
    board = pipeline.board_named(case.board)
    options = GenerateOptions(optimize=case.optimize, keep_constant_channels=case.kept)
    deployment = pipeline.deploy(model, pipeline.core_named(board.core), options, board=board)
    nodes = list(deployment.graph.bound_nodes())
    for index, (node, row) in enumerate(zip(nodes, result["layers"], strict=True)):
        if row[4]:
            kernel = deployment.kernels[index]
            shapes = f"{node.input(0).shape}→{node.output.shape} {OPERATORS[node.node.op].macs(node):,}"
            estimated = kernel.cycles_in(node, deployment.core, case.optimize)
            share = row[4] / result["modelled_cycles"]
            yield Layer(case, index, kernel, row[1], shapes, estimated, row[4], share)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--board", nargs="+", default=list(BOARDS), choices=BOARDS)
    parser.add_argument("--all", action="store_true", help="print every layer")
    chosen = parser.parse_args()
    results = load()
    if results is None:
        sys.exit("docs/benchmarks.json is not there, or of another compiler or QEMU: `make bench`")
    beyond = 0
    for case in stored_cases(results, chosen.board):
        for layer in layers_of(case, results[str(case)]):
            beyond += layer.is_beyond
            if chosen.all or layer.is_beyond:
                print(layer)
    sys.exit(1 if beyond else 0)


if __name__ == "__main__":
    main()
