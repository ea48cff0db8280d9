"""conv_2d, depthwise_conv_2d and fully_connected in training: weights rounded as they will be stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from mcu_quant.ops.attributes import attributes_from_json
from mcu_quant.training.arithmetic import KerasTensor, fake_quantized_bias, fake_quantized_weights
from mcu_quant.training.fake_quantize import quantizer_of
from mcu_quant.training.functions import clamped
from mcu_quant.training.statistics import PACKAGE, StatisticsLayer

#: A smaller scale of a batch normalization cannot be divided by: the channel is constant.
_LEAST_SCALE = 1e-12


@keras.saving.register_keras_serializable(package=PACKAGE)
class FakeQuantizedLinear(StatisticsLayer):
    """A linear operator of the graph, with the batch normalization and activation that follow it.

    node, op, attrs, output: the graph node's name, operator, attributes and output tensor. kernel_shape:
    as Keras has it (conv_2d HWIO, depthwise_conv_2d HWC and multiplier, fully_connected IO). epsilon: of the
    batch normalization, None without one.

    The kernel is scaled by gamma / sqrt(moving_variance + epsilon) before it is rounded, as it is stored.
    In training the output is then normalized by the batch's own statistics (of the rounded operator's
    outputs, so that one convolution is enough); with frozen statistics, and in inference, it is as in
    the file: scaled kernel, shifted bias (Krishnamoorthi 2018, section 3.2.2).
    """

    def __init__(
        self,
        *,
        node: str,
        op: str,
        attrs: Mapping[str, Any],
        output: str,
        kernel_shape: Sequence[int],
        use_bias: bool,
        epsilon: float | None = None,
        per_tensor: bool = False,
        momentum: float = 0.99,
        freeze_after: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(momentum=momentum, freeze_after=freeze_after, **kwargs)
        self.node, self.op, self.attrs_json, self.output_tensor = node, op, dict(attrs), output
        self.kernel_shape, self.use_bias = tuple(kernel_shape), use_bias
        self.epsilon, self.per_tensor = epsilon, per_tensor
        self.attributes = attributes_from_json(op, attrs)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "node": self.node,
            "op": self.op,
            "attrs": self.attrs_json,
            "output": self.output_tensor,
            "kernel_shape": list(self.kernel_shape),
            "use_bias": self.use_bias,
            "epsilon": self.epsilon,
            "per_tensor": self.per_tensor,
        }

    #: Its outputs are sums that are requantized.
    sums = True

    @property
    def channels(self) -> int:
        if self.op == "depthwise_conv_2d":
            return self.kernel_shape[2] * self.kernel_shape[3]
        return self.kernel_shape[-1]

    def build(self, input_shape: Any) -> None:
        self.kernel = self.add_weight(shape=self.kernel_shape, initializer="zeros", name="kernel")
        vector = (self.channels,)
        if self.use_bias:
            self.bias = self.add_weight(shape=vector, initializer="zeros", name="bias")
        if self.epsilon is not None:
            self.gamma = self.add_weight(shape=vector, initializer="ones", name="gamma")
            self.beta = self.add_weight(shape=vector, initializer="zeros", name="beta")
            self.moving_mean = self.add_weight(
                shape=vector, initializer="zeros", trainable=False, name="moving_mean"
            )
            self.moving_variance = self.add_weight(
                shape=vector, initializer="ones", trainable=False, name="moving_variance"
            )
            self.add_counters()

    def __call__(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """As Keras's; where the model is put together, it also learns whose scale the input has."""
        if isinstance(x, keras.KerasTensor):
            self.input_quantizer = quantizer_of(x)
        return super().__call__(x, *args, **kwargs)

    def call(self, x: KerasTensor, training: bool | None = None) -> KerasTensor:
        scale = self._scale()
        weights, weights_scale = self.rounded_weights()
        z, shift = self._apply(x, weights), self._shift(scale, weights_scale)
        if scale is not None and training:
            y = self._normalized(z, ops.cast(scale, "float32"), shift)
        else:
            y = z if shift is None else z + shift
        return clamped(y, self.attributes.activation)

    def rounded_weights(self) -> tuple[KerasTensor, KerasTensor]:
        """(the kernel as it is stored, batch normalization in it and rounded, its scales); float32."""
        kernel, scale = ops.cast(self.kernel, "float64"), self._scale()
        if scale is not None:
            kernel = kernel * self._along_kernel(scale)
        return fake_quantized_weights(kernel, self._shared_axes())

    def accumulator_step(self) -> KerasTensor:
        """The real value of 1 in the accumulators: float32 [channels], or [1]."""
        x_scale, _ = self.input_quantizer.layer.scale()
        return ops.reshape(self.rounded_weights()[1], (-1,)) * x_scale

    def _scale(self) -> KerasTensor | None:
        """gamma / sqrt(moving_variance + epsilon), float64 [channels]."""
        if self.epsilon is None:
            return None
        variance = ops.cast(self.moving_variance, "float64")
        return ops.cast(self.gamma, "float64") / ops.sqrt(variance + self.epsilon)

    def _shift(self, scale: KerasTensor | None, weights_scale: KerasTensor) -> KerasTensor | None:
        """The folded bias in whole accumulator steps, float32 [channels]; None without one."""
        if scale is not None:
            bias = ops.cast(self.bias, "float64") if self.use_bias else 0.0
            bias = (bias - ops.cast(self.moving_mean, "float64")) * scale
            bias = ops.cast(bias + ops.cast(self.beta, "float64"), "float32")
        elif self.use_bias:
            bias = ops.convert_to_tensor(self.bias)
        else:
            return None
        x_scale, seen = self.input_quantizer.layer.scale()
        return ops.where(seen, fake_quantized_bias(bias, x_scale, weights_scale), bias)

    def _normalized(self, z: KerasTensor, scale: KerasTensor, shift: KerasTensor) -> KerasTensor:
        """z, the outputs of the scaled kernel without bias, normalized; statistics are brought up to date.

        shift: the bias that frozen statistics give.
        """
        axes = tuple(range(len(z.shape) - 1))
        mean, variance = ops.moments(z, axes=axes)
        usable = ops.abs(scale) > _LEAST_SCALE
        divisor = ops.stop_gradient(ops.where(usable, scale, ops.ones_like(scale)))
        sigma = ops.sqrt(self.moving_variance + self.epsilon)
        unscaled = variance / ops.square(divisor)
        correction = ops.where(usable, sigma / ops.sqrt(unscaled + self.epsilon), ops.ones_like(sigma))
        by_batch = (z - mean) * correction + self.beta
        frozen = self.are_frozen()
        self._update(mean / divisor, unscaled, ops.logical_and(usable, ops.logical_not(frozen)))
        return ops.where(frozen, z + shift, by_batch)

    def _update(self, mean: KerasTensor, variance: KerasTensor, where: KerasTensor) -> None:
        if self.use_bias:
            mean = mean + self.bias
        for variable, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            old = ops.convert_to_tensor(variable)
            variable.assign(ops.where(where, self.averaged(old, value), old))
        self.batches.assign(ops.convert_to_tensor(self.batches) + 1)

    def _along_kernel(self, vector: KerasTensor) -> KerasTensor:
        """[channels] so that it multiplies the kernel."""
        return ops.reshape(vector, self.kernel_shape[2:]) if self.op == "depthwise_conv_2d" else vector

    def _shared_axes(self) -> tuple[int, ...]:
        axes = tuple(range(len(self.kernel_shape)))
        if self.per_tensor:
            return axes
        return axes[:2] if self.op == "depthwise_conv_2d" else axes[:-1]

    def _apply(self, x: KerasTensor, kernel: KerasTensor) -> KerasTensor:
        if self.op == "fully_connected":
            return self._matmul(x, kernel)
        if self.op == "transpose_conv":
            return self._transposed(x, kernel)
        attrs = self.attributes
        function = ops.conv if self.op == "conv_2d" else ops.depthwise_conv
        strides = attrs.strides
        if self.op == "depthwise_conv_2d" and self.kernel_shape[1] == 1 and x.shape[2] == 1:
            strides = (strides[0], strides[0])  # over time: backends want equal strides
        return function(
            x,
            kernel,
            strides=strides,
            padding=attrs.padding,
            data_format="channels_last",
            dilation_rate=attrs.dilation,
        )

    def _transposed(self, x: KerasTensor, kernel: KerasTensor) -> KerasTensor:
        """output_padding is what the output has beyond Keras's least size for it."""
        attrs = self.attributes
        sizes = zip(attrs.output_size, x.shape[1:3], attrs.strides, self.kernel_shape, strict=False)
        return ops.conv_transpose(
            x,
            ops.transpose(kernel, (0, 1, 3, 2)),
            strides=attrs.strides,
            padding=attrs.padding,
            output_padding=tuple(
                made - (size - 1) * stride - (taps % 2 if attrs.padding == "same" else taps)
                for made, size, stride, taps in sizes
            ),
            data_format="channels_last",
        )

    def _matmul(self, x: KerasTensor, kernel: KerasTensor) -> KerasTensor:
        in_size = self.kernel_shape[0]
        if not self.attributes.keep_num_dims and (len(x.shape) != 2 or x.shape[-1] != in_size):
            x = ops.reshape(x, (-1, in_size))
        return ops.matmul(x, kernel)
