"""Kernels for Cortex-M0 and M0+: thumb-1, 32-bit products only, no unaligned access.

Two int8 values share a word, 16 bits apart, so that one multiplication makes two products.
"""
