/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: depthwise convolution, int16 activations and int8 weights, four channels at once, for the DSP
 * extension. No scratch.
 */
#ifndef MQ_DEPTHWISE_CONV_2D_DSP_S16_H
#define MQ_DEPTHWISE_CONV_2D_DSP_S16_H

#include "mq_dsp_s16.h"

typedef struct {
    int32_t input_h;
    int32_t input_w;
    int32_t channels; /* a multiple of four */
    int32_t filter_h;
    int32_t filter_w;
    int32_t output_h;
    int32_t output_w;
    int32_t stride_h;
    int32_t stride_w;
    int32_t dilation_h;
    int32_t dilation_w;
    int32_t padding_h; /* rows of padding before the input */
    int32_t padding_w;
    int32_t is_short;   /* 1: accumulators fit int32 and an output is one product's upper word */
    int32_t is_int64;   /* 1: else, the accumulator, see mq_s16_output */
    int32_t bias_words; /* 1 or 2, of each bias */
    int32_t activation_min;
    int32_t activation_max;
} mq_depthwise_conv_2d_dsp_s16_params_t;

/* The part of a window that lies inside the input: rows x columns taps. */
typedef struct {
    int32_t rows;
    int32_t columns;
    int32_t first_tap;   /* index of its first tap in the filter */
    int32_t first_input; /* index of the pixel that this tap reads */
} mq_depthwise_conv_2d_dsp_s16_window_t;

/* Add the window's products for four channels, from x and w on. */
MQ_KERNEL void mq_depthwise_conv_2d_dsp_s16_four(const mq_depthwise_conv_2d_dsp_s16_params_t *params,
                                                 const mq_depthwise_conv_2d_dsp_s16_window_t *window,
                                                 const int16_t *x,
                                                 const int32_t *w,
                                                 int32_t *sums) {
    const int32_t words = params->channels / 4;
    const int32_t step = params->dilation_w * params->channels;
    const int32_t row_step = params->dilation_h * params->input_w * params->channels;
    int32_t sum0 = sums[0];
    int32_t sum1 = sums[1];
    int32_t sum2 = sums[2];
    int32_t sum3 = sums[3];
    for (int32_t row = 0; row < window->rows; row++) {
        const int16_t *pixel = x;
        const int32_t *word = w;
        int32_t column = window->columns;
        do {
            const uint32_t a = mq_load_word(pixel);
            const uint32_t b = mq_load_word(pixel + 2);
            const uint32_t weights = (uint32_t)*word;
            const uint32_t first = mq_sxtb16(weights);
            const uint32_t second = mq_sxtb16_ror8(weights);
            sum0 = mq_smlabb(a, first, sum0);
            sum1 = mq_smlatt(a, first, sum1);
            sum2 = mq_smlabb(b, second, sum2);
            sum3 = mq_smlatt(b, second, sum3);
            pixel += step;
            word += words;
            column--;
        } while (column > 0);
        x += row_step;
        w += params->filter_w * words;
    }
    sums[0] = sum0;
    sums[1] = sum1;
    sums[2] = sum2;
    sums[3] = sum3;
}

/* input [input_h][input_w][channels], output [output_h][output_w][channels]; weights
 * [filter_h][filter_w][channels / 4], a word's bytes channels 0, 2, 1, 3; bias [channels][bias_words],
 * multiplier [channels], shift [channels], or anything where is_short.
 */
MQ_KERNEL void mq_depthwise_conv_2d_dsp_s16(const mq_depthwise_conv_2d_dsp_s16_params_t *params,
                                            const int16_t *input,
                                            const int32_t *weights,
                                            const int32_t *bias,
                                            const int32_t *multiplier,
                                            const int8_t *shift,
                                            int16_t *output) {
    for (int32_t pixel = 0; pixel < params->output_h * params->output_w; pixel++) {
        const int32_t y = pixel / params->output_w * params->stride_h - params->padding_h;
        const int32_t x = pixel % params->output_w * params->stride_w - params->padding_w;
        const int32_t first_y = mq_first_tap(y, params->dilation_h);
        const int32_t first_x = mq_first_tap(x, params->dilation_w);
        const int32_t in_y = y + first_y * params->dilation_h;
        const int32_t in_x = x + first_x * params->dilation_w;
        mq_depthwise_conv_2d_dsp_s16_window_t window;
        window.rows = mq_end_tap(y, params->dilation_h, params->filter_h, params->input_h) - first_y;
        window.columns = mq_end_tap(x, params->dilation_w, params->filter_w, params->input_w) - first_x;
        window.first_tap = first_y * params->filter_w + first_x;
        window.first_input = in_y * params->input_w + in_x;
        if (window.columns <= 0) {
            window.rows = 0; /* a dilated window may miss the input */
        }
        const int16_t *from = input + window.first_input * params->channels;
        const int32_t *taps = weights + window.first_tap * (params->channels / 4);
        for (int32_t channel = 0; channel < params->channels; channel += 4) {
            int32_t sums[4] = {0, 0, 0, 0};
            if (params->is_short) {
                memcpy(sums, bias + channel, sizeof sums);
            }
            mq_depthwise_conv_2d_dsp_s16_four(params, &window, from + channel, taps + channel / 4, sums);
            for (int32_t i = 0; i < 4; i++) {
                *output++ = mq_s16_dsp_output(sums[i], bias, multiplier, shift, channel + i, params->is_short,
                                              params->is_int64, params->bias_words, params->activation_min,
                                              params->activation_max);
            }
        }
    }
}

#endif
