/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: float32 transposed convolution over height and width, any CPU; weights float32, half or int8.
 */
#ifndef MQ_TRANSPOSE_CONV_F32_H
#define MQ_TRANSPOSE_CONV_F32_H

#include "mq_float_weights.h"
#include "mq_transposed.h"

typedef struct {
    int32_t input_h;
    int32_t input_w;
    int32_t input_channels;
    int32_t filter_h;
    int32_t filter_w;
    int32_t output_h;
    int32_t output_w;
    int32_t output_channels;
    int32_t stride_h;
    int32_t stride_w;
    int32_t padding_h; /* rows of the spread input that are cut off before the output */
    int32_t padding_w;
    int32_t storage; /* MQ_WEIGHTS_… */
    float activation_min;
    float activation_max;
} mq_transpose_conv_f32_params_t;

/* Add the taps' products with the filters of `outputs` output channels; unit: the first of them. */
MQ_KERNEL void mq_transpose_conv_f32_sums(const mq_transpose_conv_f32_params_t *params,
                                          const mq_transposed_taps_t *y,
                                          const mq_transposed_taps_t *x,
                                          const float *input,
                                          const void *weights,
                                          int32_t unit,
                                          int32_t outputs,
                                          float *acc) {
    const int32_t depth = params->input_channels;
    const int32_t filter_row = params->filter_w * depth;
    const int32_t filter = params->filter_h * filter_row;
    int32_t row = (y->input * params->input_w + x->input) * depth;
    for (int32_t tap_y = y->first; tap_y < y->end; tap_y += params->stride_h) {
        int32_t x_position = row;
        int32_t w_position = unit * filter + tap_y * filter_row + x->first * depth;
        for (int32_t tap_x = x->first; tap_x < x->end; tap_x += params->stride_w) {
            mq_dot_float(acc, outputs, input + x_position, weights, params->storage, w_position, filter,
                         depth);
            x_position -= depth;
            w_position += params->stride_w * depth;
        }
        row -= params->input_w * depth;
    }
}

/* input [input_h][input_w][input_channels],
 * weights [output_channels][filter_h][filter_w][input_channels],
 * output [output_h][output_w][output_channels]; scale, bias [output_channels].
 */
MQ_KERNEL void mq_transpose_conv_f32(const mq_transpose_conv_f32_params_t *params,
                                     const float *input,
                                     const void *weights,
                                     const float *scale,
                                     const float *bias,
                                     float *output) {
    for (int32_t pixel = 0; pixel < params->output_h * params->output_w; pixel++) {
        const mq_transposed_taps_t y =
            mq_transposed_taps(pixel / params->output_w + params->padding_h, params->stride_h,
                               params->filter_h, params->input_h);
        const mq_transposed_taps_t x =
            mq_transposed_taps(pixel % params->output_w + params->padding_w, params->stride_w,
                               params->filter_w, params->input_w);
        int32_t outputs;
        for (int32_t unit = 0; unit < params->output_channels; unit += outputs) {
            float acc[MQ_DOT_OUTPUTS] = {0.0f, 0.0f, 0.0f, 0.0f};
            outputs = params->output_channels - unit < MQ_DOT_OUTPUTS ? 1 : MQ_DOT_OUTPUTS;
            mq_transpose_conv_f32_sums(params, &y, &x, input, weights, unit, outputs, acc);
            for (int32_t i = 0; i < outputs; i++) {
                *output++ = mq_linear_output_f32(acc[i], params->storage, scale + unit + i, bias + unit + i,
                                                 params->activation_min, params->activation_max);
            }
        }
    }
}

#endif
