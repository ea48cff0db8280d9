"""Keras layers that have no form here: what to write instead, by class."""

from __future__ import annotations

from mcu_quant.ops.keras import LayerRefused

_RECURRENT = "recurrent layers are not read yet: Conv1D layers (causal, dilated) over the time axis"
_ATTENTION = "attention is not read yet: GlobalAveragePooling, or a Multiply with a Sigmoid gate"
_RELU = "ReLU or LeakyReLU"
_PREPROCESSING = "do it before the model: feed the data that it gives"
_THREE = "Conv2D and pooling in 2D over two of the axes, the third as channels"

REWRITES = {
    "LSTM": _RECURRENT,
    "GRU": _RECURRENT,
    "SimpleRNN": _RECURRENT,
    "RNN": _RECURRENT,
    "ConvLSTM1D": _RECURRENT,
    "ConvLSTM2D": _RECURRENT,
    "Bidirectional": _RECURRENT,
    "LSTMCell": _RECURRENT,
    "GRUCell": _RECURRENT,
    "MultiHeadAttention": _ATTENTION,
    "GroupQueryAttention": _ATTENTION,
    "Attention": _ATTENTION,
    "AdditiveAttention": _ATTENTION,
    "PReLU": _RELU,
    "ELU": _RELU,
    "ThresholdedReLU": "ReLU(threshold=…)",
    "Conv3D": _THREE,
    "Conv3DTranspose": _THREE,
    "MaxPooling3D": _THREE,
    "AveragePooling3D": _THREE,
    "ZeroPadding3D": _THREE,
    "Average": "Add, then Rescaling(1 / n)",
    "Masking": "feed sequences of a fixed length: what is masked is known to the whole model",
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
    "RandomFlip": "remove it from the saved model",
    "RandomRotation": "remove it from the saved model",
    "RandomZoom": "remove it from the saved model",
    "RandomCrop": "remove it from the saved model",
    "TFSMLayer": "convert the SavedModel itself",
    "TorchModuleWrapper": "build the model from Keras layers",
}


def unsupported_layer(class_name: str) -> LayerRefused:
    hint = REWRITES.get(
        class_name, "build that part from Conv, Dense, pooling, Add, Multiply and activations"
    )
    return LayerRefused("there is no form for this layer class", value=class_name, hint=hint)


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
