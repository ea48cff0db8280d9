"""A small classifier that is right, in which faults can be planted one by one, and data for it.

x [8, 8, 4] → early (conv, relu) → late (conv, relu) → flat → scores (dense) → chances (softmax). Each of
the five classes has a level for each input channel; the scores are those of the nearest mean.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from mcu_quant.api import FloatModel
from mcu_quant.ir import Graph
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.conv_2d import Conv2DAttrs
from mcu_quant.ops.fully_connected import FullyConnectedAttrs
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.ops.keras import GraphBuilder
from mcu_quant.ops.reshape import ReshapeAttrs
from mcu_quant.ops.softmax import SoftmaxAttrs

SHAPE = (8, 8, 4)
CHANNELS, CLASSES = 8, 5
POSITIONS = 4 * 4
LEVELS = np.random.default_rng(3).normal(size=(CLASSES, SHAPE[-1]))


def labels(count: int = 100) -> np.ndarray:
    return np.arange(count) % CLASSES


def data(count: int = 100, seed: int = 1) -> np.ndarray:
    """float32 [count, 8, 8, 4], about -3 to 3."""
    noise = np.random.default_rng(seed).normal(size=(count, *SHAPE))
    return (LEVELS[labels(count)][:, None, None] + 0.15 * noise).astype(np.float32)


@dataclass
class Planted:
    """Weights [out, h, w, in] and biases that a test changes before model()."""

    early: np.ndarray = field(init=False)
    late: np.ndarray = field(init=False)
    scores: np.ndarray = field(init=False)
    early_bias: np.ndarray = field(init=False)
    late_bias: np.ndarray = field(init=False)
    scores_bias: np.ndarray = field(init=False)
    names: tuple[str, str, str] = ("early", "late", "scores")

    def __post_init__(self) -> None:
        generator = np.random.default_rng(7)
        self.early = generator.normal(0, 0.25, (CHANNELS, 3, 3, SHAPE[-1]))
        self.late = generator.normal(0, 0.2, (CHANNELS, 3, 3, CHANNELS))
        self.early_bias = np.full(CHANNELS, 0.1)
        self.late_bias = np.full(CHANNELS, 1.5)
        self.classify(data())

    def classify(self, x: np.ndarray) -> None:
        """Set the scores to those of the nearest mean of the features of x."""
        (features,) = run_graph(self._graph(with_scores=False), [x[:, None]])
        pooled = features.reshape(len(x), POSITIONS, CHANNELS).mean(axis=1)
        means = np.stack([pooled[labels(len(x)) == c].mean(axis=0) for c in range(CLASSES)])
        means = means - pooled.mean(axis=0)
        gain = 12.0 / (means**2).sum(axis=1).max()
        self.scores = gain * means
        self.scores_bias = -gain * ((means**2).sum(axis=1) / 2 + means @ pooled.mean(axis=0))

    def model(self) -> FloatModel:
        return FloatModel(self._graph(with_scores=True), "planted")

    def _graph(self, with_scores: bool) -> Graph:
        builder = GraphBuilder("planted", OPERATORS)
        early, late, scores = self.names
        x = builder.input("x", (1, *SHAPE))
        for name, weights, bias in ((early, self.early, self.early_bias), (late, self.late, self.late_bias)):
            constants = [builder.constant(f"{name}/kernel", weights), builder.constant(f"{name}/bias", bias)]
            x = builder.add("conv_2d", name, Conv2DAttrs(padding="valid", activation="relu"), [x, *constants])
        x = builder.add("reshape", "flat", ReshapeAttrs(shape=(1, POSITIONS * CHANNELS)), [x])
        if with_scores:
            weights = np.repeat(self.scores[:, None], POSITIONS, axis=1).reshape(CLASSES, -1) / POSITIONS
            constants = [builder.constant("kernel", weights), builder.constant("bias", self.scores_bias)]
            x = builder.add("fully_connected", scores, FullyConnectedAttrs(), [x, *constants])
            x = builder.add("softmax", "chances", SoftmaxAttrs(), [x])
        return builder.graph([x])
