"""Keras layers that give images another size."""

from __future__ import annotations

from collections.abc import Sequence

from mcu_quant.ops.base import Shape
from mcu_quant.ops.keras import GraphBuilder, KerasLayer, LayerRefused, require_channels_last
from mcu_quant.ops.keras_spatial import dimensions_of, over_space, pair
from mcu_quant.ops.resize import ResizeAttrs
from mcu_quant.ops.strided_slice import attrs_of

_OPERATORS = {"nearest": "resize_nearest_neighbor", "bilinear": "resize_bilinear"}


def _up_sampling(layer: KerasLayer, inputs: Sequence[str], builder: GraphBuilder) -> str:
    (x,) = inputs
    factor_h, factor_w = pair(layer.config["size"], dimensions_of(layer))

    def larger(image: str) -> str:
        _, height, width, _ = builder.shape(image)
        return _resized(layer, image, height * factor_h, width * factor_w, builder)

    return over_space(layer, x, builder, larger)


def _resizing(layer: KerasLayer, inputs: Sequence[str], builder: GraphBuilder) -> str:
    (x,) = inputs
    _require_image(layer, builder.shape(x))
    for option in ("crop_to_aspect_ratio", "pad_to_aspect_ratio", "antialias"):
        if layer.config.get(option):
            raise LayerRefused(
                "an image is resized as a whole, without filters",
                value=f"{option}=True",
                hint=f"{option}=False",
            )
    return _resized(layer, x, int(layer.config["height"]), int(layer.config["width"]), builder)


def _center_crop(layer: KerasLayer, inputs: Sequence[str], builder: GraphBuilder) -> str:
    (x,) = inputs
    _, *sizes, _ = _require_image(layer, builder.shape(x))
    wanted = int(layer.config["height"]), int(layer.config["width"])
    if any(size < new for size, new in zip(sizes, wanted, strict=True)):
        raise LayerRefused(
            "a crop must not be larger than the image", value=f"{wanted} of {sizes}", hint="Resizing"
        )
    index = [
        slice((size - new) // 2, (size - new) // 2 + new) for size, new in zip(sizes, wanted, strict=True)
    ]
    attrs = attrs_of((slice(None), *index), builder.shape(x))
    return builder.add("strided_slice", layer.name, attrs, [x])


def _require_image(layer: KerasLayer, shape: Shape) -> Shape:
    """The shape of one image [1, H, W, C]. Raises LayerRefused."""
    require_channels_last(layer.config)
    if len(shape) != 4:
        raise LayerRefused(
            "the input must be an image with channels", value=f"shape {shape}", hint="[H, W, C]"
        )
    return shape


def _resized(layer: KerasLayer, x: str, height: int, width: int, builder: GraphBuilder) -> str:
    """By the centres of pixels, as TensorFlow 2 resizes; nearest pixels then repeat."""
    interpolation = layer.config.get("interpolation", "nearest")
    if interpolation not in _OPERATORS:
        raise LayerRefused(
            "the interpolation must be one that TFLite has",
            value=interpolation,
            hint="'nearest' or 'bilinear'",
        )
    attrs = ResizeAttrs(height, width, half_pixel_centers=True)
    return builder.add(_OPERATORS[interpolation], layer.name, attrs, [x])


IMAGE_LAYERS = {
    "UpSampling1D": _up_sampling,
    "UpSampling2D": _up_sampling,
    "Resizing": _resizing,
    "CenterCrop": _center_crop,
}
