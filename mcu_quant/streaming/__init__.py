"""A window model over time becomes one that computes, for some new frames, only what these change.

reach: which rows a layer's rows are made of. frames: where a tensor's rows lie in time. analysis: what each
node becomes. rows: the nodes for some rows. kept: the rows that are kept. graph: the streaming graph.
"""

from mcu_quant.streaming.graph import stream_graph

__all__ = ["stream_graph"]
