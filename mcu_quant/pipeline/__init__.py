"""The whole way through, and the only place where stages meet.

models: a file to a Graph. quantizing: a float Graph to a .tflite file. deploying: rewrites, kernels, the
memory plan and files. engines: outputs, comparisons, profiles and certificates.
"""

from mcu_quant.pipeline.deploying import (
    board_facts,
    board_named,
    core_named,
    deploy,
    deploy_smallest,
    emulated_board,
    format_named,
    linked_memory,
    manifest_facts,
    new_board,
    render,
    require_ram,
)
from mcu_quant.pipeline.engines import certify, engine_named, profile, require_one_board, verify
from mcu_quant.pipeline.models import MAX_MODEL_BYTES, TfliteModel, load, model_kind, read_model
from mcu_quant.pipeline.quantizing import Progress, quantize
from mcu_quant.pipeline.streaming import streamed, streaming_file

__all__ = [
    "MAX_MODEL_BYTES",
    "Progress",
    "TfliteModel",
    "board_facts",
    "board_named",
    "certify",
    "core_named",
    "deploy",
    "deploy_smallest",
    "emulated_board",
    "engine_named",
    "format_named",
    "linked_memory",
    "load",
    "manifest_facts",
    "model_kind",
    "new_board",
    "profile",
    "quantize",
    "read_model",
    "render",
    "require_one_board",
    "require_ram",
    "streamed",
    "streaming_file",
    "verify",
]
