/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: depthwise convolution over height and width, int16 activations and int8 weights, any CPU.
 * No scratch.
 */
#ifndef MQ_DEPTHWISE_CONV_2D_S16_H
#define MQ_DEPTHWISE_CONV_2D_S16_H

#include "mq_s16.h"

typedef struct {
    int32_t input_h;
    int32_t input_w;
    int32_t input_channels;
    int32_t filter_h;
    int32_t filter_w;
    int32_t output_h;
    int32_t output_w;
    int32_t output_channels; /* input_channels * depth_multiplier */
    int32_t depth_multiplier;
    int32_t stride_h;
    int32_t stride_w;
    int32_t dilation_h;
    int32_t dilation_w;
    int32_t padding_h; /* rows of padding before the input */
    int32_t padding_w;
    int32_t narrow;     /* 1: sums without the bias fit int32 */
    int32_t bias_words; /* 1 or 2, of each bias */
    int32_t activation_min;
    int32_t activation_max;
} mq_depthwise_conv_2d_s16_params_t;

/* The part of a window that lies inside the input: rows x columns taps. */
typedef struct {
    int32_t rows;
    int32_t columns;
    int32_t first_tap;   /* index of its first tap in the filter */
    int32_t first_input; /* index of the pixel that this tap reads */
} mq_depthwise_conv_2d_s16_window_t;

/* The window's products for output channels `channel` to channel + 3 (multiplier 1), modulo 2^32. */
MQ_KERNEL void mq_depthwise_conv_2d_s16_window_4(const mq_depthwise_conv_2d_s16_params_t *params,
                                                 const mq_depthwise_conv_2d_s16_window_t *window,
                                                 const int16_t *input,
                                                 const int8_t *weights,
                                                 int32_t *acc) {
    const int32_t channels = params->output_channels;
    const int32_t step = params->dilation_w * channels;
    const int32_t row_step = params->dilation_h * params->input_w * channels;
    int32_t acc0 = 0;
    int32_t acc1 = 0;
    int32_t acc2 = 0;
    int32_t acc3 = 0;
    for (int32_t row = 0; row < window->rows; row++) {
        int32_t x_position = window->first_input * channels + row * row_step;
        int32_t w_position = (window->first_tap + row * params->filter_w) * channels;
        for (int32_t column = 0; column < window->columns; column++) {
            const int16_t *x = input + x_position;
            const int8_t *w = weights + w_position;
            acc0 = mq_mac(acc0, x[0], w[0]);
            acc1 = mq_mac(acc1, x[1], w[1]);
            acc2 = mq_mac(acc2, x[2], w[2]);
            acc3 = mq_mac(acc3, x[3], w[3]);
            x_position += step;
            w_position += channels;
        }
    }
    acc[0] = acc0;
    acc[1] = acc1;
    acc[2] = acc2;
    acc[3] = acc3;
}

/* The window's products for one output channel; input and weights point at their channels. */
MQ_KERNEL int64_t mq_depthwise_conv_2d_s16_window_1(const mq_depthwise_conv_2d_s16_params_t *params,
                                                    const mq_depthwise_conv_2d_s16_window_t *window,
                                                    const int16_t *input,
                                                    const int8_t *weights) {
    const int32_t step = params->dilation_w * params->input_channels;
    const int32_t row_step = params->dilation_h * params->input_w * params->input_channels;
    int64_t acc = 0;
    for (int32_t row = 0; row < window->rows; row++) {
        int32_t x_position = window->first_input * params->input_channels + row * row_step;
        int32_t w_position = (window->first_tap + row * params->filter_w) * params->output_channels;
        for (int32_t column = 0; column < window->columns; column++) {
            acc += (int32_t)input[x_position] * weights[w_position];
            x_position += step;
            w_position += params->output_channels;
        }
    }
    return acc;
}

/* input [input_h][input_w][input_channels], weights [filter_h][filter_w][output_channels],
 * output [output_h][output_w][output_channels]; bias [output_channels][bias_words],
 * multiplier, shift [output_channels].
 */
MQ_KERNEL void mq_depthwise_conv_2d_s16(const mq_depthwise_conv_2d_s16_params_t *params,
                                        const int16_t *input,
                                        const int8_t *weights,
                                        const int32_t *bias,
                                        const int32_t *multiplier,
                                        const int8_t *shift,
                                        int16_t *output) {
    const int32_t in_fours = params->depth_multiplier == 1 && params->narrow;
    for (int32_t pixel = 0; pixel < params->output_h * params->output_w; pixel++) {
        const int32_t y = pixel / params->output_w * params->stride_h - params->padding_h;
        const int32_t x = pixel % params->output_w * params->stride_w - params->padding_w;
        const int32_t first_y = mq_first_tap(y, params->dilation_h);
        const int32_t first_x = mq_first_tap(x, params->dilation_w);
        const int32_t in_y = y + first_y * params->dilation_h;
        const int32_t in_x = x + first_x * params->dilation_w;
        mq_depthwise_conv_2d_s16_window_t window;
        window.rows = mq_end_tap(y, params->dilation_h, params->filter_h, params->input_h) - first_y;
        window.columns = mq_end_tap(x, params->dilation_w, params->filter_w, params->input_w) - first_x;
        window.first_tap = first_y * params->filter_w + first_x;
        window.first_input = in_y * params->input_w + in_x;
        int32_t outputs;
        for (int32_t channel = 0; channel < params->output_channels; channel += outputs) {
            int32_t acc[4] = {0, 0, 0, 0};
            int64_t wide = 0;
            outputs = in_fours && params->output_channels - channel >= 4 ? 4 : 1;
            if (outputs == 4) {
                mq_depthwise_conv_2d_s16_window_4(params, &window, input + channel, weights + channel, acc);
            } else {
                wide = mq_depthwise_conv_2d_s16_window_1(
                    params, &window, input + channel / params->depth_multiplier, weights + channel);
            }
            for (int32_t i = 0; i < outputs; i++) {
                const int64_t sum =
                    (outputs == 4 ? acc[i] : wide) + mq_s16_bias(bias, params->bias_words, channel + i);
                *output++ = mq_s16_output(sum, multiplier[channel + i], shift[channel + i], 1,
                                          params->activation_min, params->activation_max);
            }
        }
    }
}

#endif
