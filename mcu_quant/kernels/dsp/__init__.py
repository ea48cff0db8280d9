"""Kernels for cores with the DSP extension: Cortex-M4, M7, M33 (and M55, which has it too)."""
