"""TFLite operators that have no form here: why, and what to do instead. SUPPORTED_OPS.md shows this list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mcu_quant.errors import Problem
from mcu_quant.importers.tflite_file import FileOperator, FileSubgraph

FIXED_BATCH = "convert with a fixed batch: keras.Input(shape, batch_size=1), then TFLiteConverter"


@dataclass(frozen=True)
class Unsupported:
    """reason: a sentence. rewrite: what to try."""

    reason: str
    rewrite: str


_CONSTANTS_ONLY = "the operator is read where its inputs are constants: it is computed at import"
_STATE = "operators that keep state from one run to the next have no form yet"
_RECURRENT = "the .keras or .h5 file in place of the .tflite file: mcu-quant quantize reads recurrent layers"
_THREE = "Conv2D and pooling in 2D over two of the axes, the third as channels"
_SIZE = "the size of the output depends on the input, and memory is planned beforehand"
_BEFORE = "do it before the model, in the program that feeds it"
_AFTER = "end the model before it, and do it in the program that reads the outputs"
_NONE = "the operator has no form"

_HLO = (
    "ABS ADD AND BROADCAST_IN_DIM CASE CBRT CLAMP COMPARE CONCATENATE CONVERT CONVOLUTION COSINE CUSTOM_CALL"
    " DIVIDE DOT_GENERAL DYNAMIC_SLICE DYNAMIC_UPDATE_SLICE EXPONENTIAL FLOOR GATHER IOTA LOG LOGISTIC"
    " MAXIMUM MINIMUM MULTIPLY NEGATE OR PAD POWER REDUCE REDUCE_WINDOW REMAINDER RESHAPE RNG_BIT_GENERATOR"
    " RSQRT SCATTER SELECT SHIFT_LEFT SLICE SORT SUBTRACT TANH TRANSPOSE WHILE"
)

#: (reason, what to try, builtins)
_GROUPS = (
    (_CONSTANTS_ONLY, FIXED_BATCH, "SHAPE RANK ZEROS_LIKE BROADCAST_ARGS FILL"),
    (_CONSTANTS_ONLY, "fixed limits and step", "RANGE"),
    (_SIZE, "keras.ops.where(condition, a, b), which keeps all elements", "WHERE"),
    (_SIZE, _AFTER, "NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 UNIQUE"),
    (_STATE, _RECURRENT, "LSTM BIDIRECTIONAL_SEQUENCE_LSTM"),
    (_STATE, _RECURRENT, "RNN UNIDIRECTIONAL_SEQUENCE_RNN BIDIRECTIONAL_SEQUENCE_RNN"),
    ("windows in three dimensions have no form", _THREE, "CONV_3D CONV_3D_TRANSPOSE"),
    ("sorting has no form", f"ARG_MAX for the first; or {_AFTER}", "TOPK_V2"),
    (
        "writing by computed index has no form",
        "Concatenate of slices, or Multiply with a mask",
        "SCATTER_ND DYNAMIC_UPDATE_SLICE SPARSE_TO_DENSE SEGMENT_SUM UNSORTED_SEGMENT_MAX"
        " UNSORTED_SEGMENT_MIN UNSORTED_SEGMENT_PROD UNSORTED_SEGMENT_SUM",
    ),
    (
        "tables of strings and hashes have no form",
        _BEFORE,
        "HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_LOOKUP HASHTABLE_SIZE LSH_PROJECTION SKIP_GRAM"
        " EMBEDDING_LOOKUP_SPARSE CONCAT_EMBEDDINGS BUCKETIZE",
    ),
    (
        "random numbers have no form: the same input must give the same output",
        "make the noise an input of the model",
        "MULTINOMIAL RANDOM_STANDARD_NORMAL RANDOM_UNIFORM",
    ),
    ("complex numbers have no form", _BEFORE, "RFFT2D REAL IMAG COMPLEX_ABS"),
    ("arithmetic on bits has no form", _BEFORE, "BITCAST BITWISE_XOR RIGHT_SHIFT"),
    (_NONE, "the ratio itself in place of its angle", "ATAN2"),
    (_NONE, "Multiply with a constant identity matrix", "MATRIX_DIAG MATRIX_SET_DIAG"),
    (_NONE, "MaxPooling2D or AveragePooling2D", "REDUCE_WINDOW L2_POOL_2D"),
    (_NONE, "Conv2DTranspose, or ZeroPadding2D", "DILATE"),
    (_NONE, "BatchNormalization", "LOCAL_RESPONSE_NORMALIZATION"),
    (_NONE, "reverse the whole axis: x[:, ::-1]", "REVERSE_SEQUENCE"),
    (
        "training's stand-ins for quantization must be converted away",
        "convert the trained model with TFLiteConverter's DEFAULT optimization",
        "FAKE_QUANT",
    ),
    (
        "the file was made for one accelerator: its operators are hidden in a delegate's binary",
        "the .tflite file before the vendor's compiler (Vela, edgetpu_compiler, …)",
        "DELEGATE",
    ),
    ("tensors must be dense", "convert without EXPERIMENTAL_SPARSITY", "DENSIFY"),
    (
        "the operator is not one that converters write",
        "convert the model again",
        "CALL PLACEHOLDER_FOR_GREATER_OP_CODES",
    ),
    (
        "custom operators have no form: their meaning is not in the file",
        "operators of TFLite itself (tf.lite.OpsSet.TFLITE_BUILTINS)",
        "CUSTOM",
    ),
    (
        "StableHLO inside a .tflite file has no form: no microcontroller runtime reads it",
        "convert to TFLite's own operators",
        " ".join(f"STABLEHLO_{name}" for name in _HLO.split()),
    ),
)

#: Every builtin of schema.fbs that has no form, or one for constants alone.
UNSUPPORTED: Mapping[str, Unsupported] = {
    builtin: Unsupported(reason, rewrite)
    for reason, rewrite, builtins in _GROUPS
    for builtin in builtins.split()
}

_FLEX = Unsupported(
    "TensorFlow's own operators (Flex) are not in any microcontroller runtime",
    "convert without SELECT_TF_OPS: the converter then says which layers need them",
)
_CUSTOM: Mapping[str, Unsupported] = {
    "TFLite_Detection_PostProcess": Unsupported(_SIZE, _AFTER),
    "ethos-u": UNSUPPORTED["DELEGATE"],
    "edgetpu-custom-op": UNSUPPORTED["DELEGATE"],
}
_UNKNOWN = Unsupported(
    "the operator is not in the schema that this version knows", "a newer mcu_quant, or an older converter"
)
_UNLISTED = Unsupported(_NONE, "one of the operators in SUPPORTED_OPS.md")


def unsupported_operator(name: str, file_op: FileOperator) -> Problem:
    """What to say of an operator that nothing reads. name: the node's."""
    builtin, value = file_op.builtin, file_op.builtin
    entry = UNSUPPORTED.get(builtin, _UNKNOWN if builtin.startswith("BUILTIN_") else _UNLISTED)
    if builtin == "CUSTOM":
        value = file_op.custom_name
        entry = _FLEX if value.startswith("Flex") else _CUSTOM.get(value, entry)
    return Problem(entry.reason, name, value, entry.rewrite)


def without_legacy(graph: FileSubgraph, problems: Sequence[Problem]) -> Sequence[Problem]:
    """The problems; those that follow from the uint8 quantization of old files as one."""
    weights = [
        tensor.name
        for operator in graph.operators
        for tensor in (graph.tensors[index] for index in operator.inputs if index >= 0)
        if tensor.type_name == "UINT8" and tensor.data is not None and operator.builtin != "DEQUANTIZE"
    ]
    others = [problem for problem in problems if problem.value != "uint8"]
    if not weights or len(others) == len(problems):
        return problems
    rule = "weights must be int8: uint8 is TFLite's quantization of before 2019, which TFLM has left, too"
    hint = "convert the float model again, or quantize its .keras or .h5 file by mcu-quant quantize"
    return [Problem(rule, weights[0], f"{len(weights)} constants of uint8", hint), *others]
