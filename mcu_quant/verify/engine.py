"""What runs a model: the reference, compiled C on the host, an image on QEMU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np


class Engine(Protocol):
    """name: as in `--on`: "reference", "host", or a board's name."""

    @property
    def name(self) -> str: ...

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """[N, *shape] raw quantized arrays in and out, one for each input and output of the graph.

        Samples are independent; in a graph with states they are consecutive runs, the first from reset.
        """
        ...
