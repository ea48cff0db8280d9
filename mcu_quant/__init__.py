"""Trained Keras models to exact, small, fast C for Arm Cortex-M."""

from __future__ import annotations

__version__ = "0.1.0"
