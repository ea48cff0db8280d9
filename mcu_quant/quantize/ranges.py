"""What a calibration method is, and what it gives."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

#: (range_min, range_max) of every activation, real numbers, by tensor name.
Ranges = dict[str, tuple[float, float]]


class Calibrator(ABC):
    """A calibration method while it watches the float model run. One instance per calibration.

    passes: how often it must see all samples; `next_pass` is called between two passes.
    """

    passes = 1

    @abstractmethod
    def observe(self, tensor: str, values: np.ndarray) -> None:
        """Take in a batch of one activation, [N, *shape] float32, finite. Must not keep it."""

    @abstractmethod
    def ranges(self) -> Ranges:
        """The ranges of all tensors seen, range_min <= range_max."""

    def next_pass(self) -> None:
        """All samples were seen once; another pass begins."""
        raise NotImplementedError(f"{type(self).__name__} says that it needs {self.passes} passes")
