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

/* Of four channels. By name, not by index: they are to stay in registers. */
typedef struct {
    int32_t c0;
    int32_t c1;
    int32_t c2;
    int32_t c3;
} mq_depthwise_conv_2d_dsp_s16_sums_t;

/* A tap's products for four channels. */
static inline void mq_depthwise_conv_2d_dsp_s16_tap(const int16_t *x,
                                                    uint32_t weights,
                                                    mq_depthwise_conv_2d_dsp_s16_sums_t *sums) {
    const uint32_t a = mq_load_word(x);
    const uint32_t b = mq_load_word(x + 2);
    const uint32_t first = mq_sxtb16(weights);
    const uint32_t second = mq_sxtb16_ror8(weights);
    sums->c0 = mq_smlabb(a, first, sums->c0);
    sums->c1 = mq_smlatt(a, first, sums->c1);
    sums->c2 = mq_smlabb(b, second, sums->c2);
    sums->c3 = mq_smlatt(b, second, sums->c3);
}

/* Add the window's products for four channels, from x and w on. */
MQ_KERNEL mq_depthwise_conv_2d_dsp_s16_sums_t
mq_depthwise_conv_2d_dsp_s16_four(const mq_depthwise_conv_2d_dsp_s16_params_t *params,
                                  const mq_depthwise_conv_2d_dsp_s16_window_t *window,
                                  const int16_t *x,
                                  const int32_t *w,
                                  mq_depthwise_conv_2d_dsp_s16_sums_t sums) {
    const int32_t words = params->channels / 4;
    const int32_t step = params->dilation_w * params->channels;
    const int32_t row_step = params->dilation_h * params->input_w * params->channels;
    for (int32_t row = 0; row < window->rows; row++) {
        if (window->columns == 3) { /* most windows of most models, without a loop */
            mq_depthwise_conv_2d_dsp_s16_tap(x, (uint32_t)w[0], &sums);
            mq_depthwise_conv_2d_dsp_s16_tap(x + step, (uint32_t)w[words], &sums);
            mq_depthwise_conv_2d_dsp_s16_tap(x + 2 * step, (uint32_t)w[2 * words], &sums);
        } else {
            const int16_t *pixel = x;
            const int32_t *word = w;
            for (int32_t column = 0; column < window->columns; column++) {
                mq_depthwise_conv_2d_dsp_s16_tap(pixel, (uint32_t)*word, &sums);
                pixel += step;
                word += words;
            }
        }
        x += row_step;
        w += params->filter_w * words;
    }
    return sums;
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
    const mq_s16_dsp_rounding_t rounding = {bias,
                                            multiplier,
                                            shift,
                                            params->is_short,
                                            params->is_int64,
                                            params->bias_words,
                                            params->activation_min,
                                            params->activation_max};
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
        const int16_t *from = input + window.first_input * params->channels;
        const int32_t *taps = weights + window.first_tap * (params->channels / 4);
        for (int32_t channel = 0; channel < params->channels; channel += 4) {
            mq_depthwise_conv_2d_dsp_s16_sums_t sums = {0, 0, 0, 0};
            if (params->is_short) {
                memcpy(&sums, bias + channel, sizeof sums);
            }
            sums =
                mq_depthwise_conv_2d_dsp_s16_four(params, &window, from + channel, taps + channel / 4, sums);
            output[0] = mq_s16_dsp_output(&rounding, sums.c0, channel);
            output[1] = mq_s16_dsp_output(&rounding, sums.c1, channel + 1);
            output[2] = mq_s16_dsp_output(&rounding, sums.c2, channel + 2);
            output[3] = mq_s16_dsp_output(&rounding, sums.c3, channel + 3);
            output += 4;
        }
    }
}

#endif
