/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: int8 transposed convolution over height and width, four channels at once (Cortex-M4, M7, M33).
 * No scratch.
 */
#ifndef MQ_TRANSPOSE_CONV_S8_DSP_H
#define MQ_TRANSPOSE_CONV_S8_DSP_H

#include "mq_dsp_dots.h"
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
    int32_t input_zero_point;
    int32_t output_zero_point;
    int32_t activation_min;
    int32_t activation_max;
} mq_transpose_conv_s8_dsp_params_t;

/* Add the taps' products with the filters of `outputs` output channels, from `weights` on. */
MQ_KERNEL void mq_transpose_conv_s8_dsp_sums(const mq_transpose_conv_s8_dsp_params_t *params,
                                             const mq_transposed_taps_t *y,
                                             const mq_transposed_taps_t *x,
                                             const int8_t *input,
                                             const int8_t *weights,
                                             int32_t outputs,
                                             int32_t *acc) {
    const int32_t depth = params->input_channels;
    const mq_dsp_minus_t minus = mq_dsp_minus(params->input_zero_point, 0);
    const int32_t filter_row = params->filter_w * depth;
    const int32_t filter = params->filter_h * filter_row;
    int32_t row = (y->input * params->input_w + x->input) * depth;
    for (int32_t tap_y = y->first; tap_y < y->end; tap_y += params->stride_h) {
        int32_t x_position = row;
        int32_t w_position = tap_y * filter_row + x->first * depth;
        for (int32_t tap_x = x->first; tap_x < x->end; tap_x += params->stride_w) {
            mq_dsp_dots(acc, outputs, input + x_position, weights + w_position, filter, depth, minus);
            x_position -= depth;
            w_position += params->stride_w * depth;
        }
        row -= params->input_w * depth;
    }
}

/* input [input_h][input_w][input_channels],
 * weights [output_channels][filter_h][filter_w][input_channels],
 * output [output_h][output_w][output_channels]; bias, multiplier, shift [output_channels].
 */
MQ_KERNEL void mq_transpose_conv_s8_dsp(const mq_transpose_conv_s8_dsp_params_t *params,
                                        const int8_t *input,
                                        const int8_t *weights,
                                        const int32_t *bias,
                                        const int32_t *multiplier,
                                        const int8_t *shift,
                                        int8_t *output) {
    const int32_t filter = params->filter_h * params->filter_w * params->input_channels;
    for (int32_t pixel = 0; pixel < params->output_h * params->output_w; pixel++) {
        const mq_transposed_taps_t y =
            mq_transposed_taps(pixel / params->output_w + params->padding_h, params->stride_h,
                               params->filter_h, params->input_h);
        const mq_transposed_taps_t x =
            mq_transposed_taps(pixel % params->output_w + params->padding_w, params->stride_w,
                               params->filter_w, params->input_w);
        int32_t outputs;
        for (int32_t unit = 0; unit < params->output_channels; unit += outputs) {
            int32_t acc[MQ_DOT_OUTPUTS];
            outputs = params->output_channels - unit < MQ_DOT_OUTPUTS ? 1 : MQ_DOT_OUTPUTS;
            for (int32_t i = 0; i < outputs; i++) {
                acc[i] = bias[unit + i];
            }
            mq_transpose_conv_s8_dsp_sums(params, &y, &x, input, weights + unit * filter, outputs, acc);
            for (int32_t i = 0; i < outputs; i++) {
                *output++ = mq_requantize_to_int8(acc[i], multiplier[unit + i], shift[unit + i],
                                                  params->output_zero_point, params->activation_min,
                                                  params->activation_max);
            }
        }
    }
}

#endif
