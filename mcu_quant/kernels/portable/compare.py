"""What the comparisons share: three relations, the others by swapped operands or a negation."""

from __future__ import annotations

from typing import NamedTuple

from mcu_quant.ir import BoundNode, Tensor
from mcu_quant.kernels.base import Activation, Core, Kernel, KernelCall
from mcu_quant.kernels.portable.walk import Params, in_place, walk_params


class Relation(NamedTuple):
    """code: MQ_EQUAL, … of mq_compare.h. swapped: of the second operand and the first."""

    code: int
    swapped: bool = False
    negate: bool = False


RELATIONS = {
    "equal": Relation(0),
    "not_equal": Relation(0, negate=True),
    "greater": Relation(1),
    "less": Relation(1, swapped=True),
    "greater_equal": Relation(2),
    "less_equal": Relation(2, swapped=True),
}
_WALK = ("rows", "columns", "sizes", "first_steps", "first_stride", "second_steps", "second_stride")


class Compare(Kernel):
    ops = tuple(RELATIONS)
    relations = RELATIONS

    def call(self, node: BoundNode) -> KernelCall:
        relation = self.relations[node.node.op]
        labels = ("second", "first") if relation.swapped else ("first", "second")
        path = walk_params(node, labels)
        params = {key: path[key] for key in _WALK}
        params |= {"relation": relation.code, "negate": int(relation.negate)}
        operands = (node.input(1), node.input(0)) if relation.swapped else (node.input(0), node.input(1))
        names = (*(tensor.name for tensor in operands), node.output.name)
        return KernelCall(params | self.more(*operands), tuple(Activation(name) for name in names))

    def more(self, first: Tensor, second: Tensor) -> Params:
        """Further parameters. first, second: as they are compared."""
        return {}

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        """A byte is written where, at the latest, an element was read."""
        return in_place(node)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 12.0 * node.output.elements
