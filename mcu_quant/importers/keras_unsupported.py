"""Keras layers that have no form here: what to write instead, by class."""

from __future__ import annotations

from mcu_quant.ops.keras import LayerRefused

_CELL = "in a layer: RNN(cell)"
_CONVOLUTIONAL = "TimeDistributed(Conv2D), then LSTM or Conv1D over the time axis"
_PREPROCESSING = "do it before the model: feed the data that it gives"
_THREE = "Conv2D and pooling in 2D over two of the axes, the third as channels"

REWRITES = {
    **dict.fromkeys(("ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"), _CONVOLUTIONAL),
    **dict.fromkeys(("LSTMCell", "GRUCell", "SimpleRNNCell", "StackedRNNCells"), _CELL),
    "Conv3D": _THREE,
    "Conv3DTranspose": _THREE,
    "MaxPooling3D": _THREE,
    "AveragePooling3D": _THREE,
    "ZeroPadding3D": _THREE,
    "Masking": "feed sequences of a fixed length; in attention, a constant attention_mask",
    "LocallyConnected1D": "Conv1D",
    "LocallyConnected2D": "Conv2D",
    "TextVectorization": _PREPROCESSING,
    "StringLookup": _PREPROCESSING,
    "IntegerLookup": _PREPROCESSING,
    "CategoryEncoding": _PREPROCESSING,
    "Hashing": _PREPROCESSING,
    "Discretization": _PREPROCESSING,
    "MelSpectrogram": _PREPROCESSING,
    "STFTSpectrogram": _PREPROCESSING,
    "RandomCrop": "remove it from the saved model",
    "TFSMLayer": "convert the SavedModel itself",
    "TorchModuleWrapper": "build the model from Keras layers",
    **dict.fromkeys(("JaxLayer", "FlaxLayer"), "build the model from Keras layers"),
    **dict.fromkeys(("Layer", "Wrapper", "Pipeline"), "the layers in it, one after the other"),
    **dict.fromkeys(("UpSampling3D", "Cropping3D", "Conv3DTranspose"), _THREE),
    **dict.fromkeys(("AdaptiveMaxPooling3D", "AdaptiveAveragePooling3D"), _THREE),
    **dict.fromkeys(("AutoContrast", "ContrastLimitedAdaptiveHistogramEqualization"), _PREPROCESSING),
    **dict.fromkeys(("Equalization", "Solarization", "HashedCrossing"), _PREPROCESSING),
    "MaxNumBoundingBoxes": _PREPROCESSING,
    "ReversibleEmbedding": "Embedding, and Dense for the way back",
}

#: Why there is no form, where more can be said than that there is none.
_REASONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("recurrent layers whose gates are convolutions have no form", ("ConvLSTM",)),
    ("a cell is one step of a layer: what it keeps is the layer's", ("Cell",)),
    ("windows in three dimensions have no form", ("3D",)),
    (
        "text, tables and statistics of the data set are no part of a network on a microcontroller",
        ("Vectorization", "Lookup", "Encoding", "Hash", "Discretization"),
    ),
    ("Fourier transforms have no form", ("Spectrogram",)),
    ("the layer works on images as they are read, not on what a sensor gives", ("Contrast", "Equalization")),
    ("the layer's code is another framework's, and code is never run", ("Jax", "Flax", "Torch", "TFSM")),
)
_NO_FORM = "there is no form for this layer class"


def unsupported_layer(class_name: str) -> LayerRefused:
    hint = REWRITES.get(
        class_name, "build that part from Conv, Dense, pooling, Add, Multiply and activations"
    )
    return LayerRefused(reason(class_name), value=class_name, hint=hint)


def reason(class_name: str) -> str:
    """Why a layer class cannot be read: by the first of the words that its name has."""
    found = (why for why, words in _REASONS if any(word in class_name for word in words))
    return next(found, _NO_FORM)


def custom_layer(custom: str) -> LayerRefused:
    return LayerRefused(
        "the code of a custom class is never run, so that its meaning is unknown",
        value=custom,
        hint="build it from Keras layers, e.g. as a nested keras.Model",
    )


def lambda_layer() -> LayerRefused:
    return LayerRefused(
        "a Lambda layer holds Python code, which is never run",
        value="Lambda",
        hint="Rescaling for x * a + b, Activation, Reshape, or Add and Multiply, whichever it does",
    )
