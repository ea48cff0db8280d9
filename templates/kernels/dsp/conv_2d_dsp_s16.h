/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: convolution, int16 activations and int8 weights, two pixels at once, for the DSP extension.
 */
#ifndef MQ_CONV_2D_DSP_S16_H
#define MQ_CONV_2D_DSP_S16_H

#include "mq_dsp_s16.h"

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
    int32_t dilation_h;
    int32_t dilation_w;
    int32_t padding_h; /* rows of padding before the input */
    int32_t padding_w;
    int32_t turns;      /* of the inner loop: a window's elements / 4, rounded up */
    int32_t is_short;   /* 1: accumulators fit int32 and an output is one product's upper word */
    int32_t is_int64;   /* else: the accumulator, see mq_s16_output */
    int32_t bias_words; /* 1 or 2, of each bias */
    int32_t activation_min;
    int32_t activation_max;
} mq_conv_2d_dsp_s16_params_t;

/* Elements `at` to before `at` + count of one pixel's window, from `from` on, or 0 if that is NULL.
 * patch: where its first pair goes; the other pixel's pairs lie between.
 */
MQ_KERNEL void mq_conv_2d_dsp_s16_copy(int16_t *patch, int32_t at, const int16_t *from, int32_t count) {
    int32_t i = 0;
    if (at % 2 == 0) {
        for (; i + 2 <= count; i += 2) {
            mq_store_word(patch + 2 * (at + i), from == NULL ? 0u : mq_load_word(from + i));
        }
    }
    for (; i < count; i++) {
        const int32_t element = at + i;
        patch[element / 2 * 4 + element % 2] = from == NULL ? (int16_t)0 : from[i];
    }
}

/* Copy the window of a pixel. input_y, input_x: of its first tap. */
MQ_KERNEL void mq_conv_2d_dsp_s16_window(const mq_conv_2d_dsp_s16_params_t *params,
                                         const int16_t *input,
                                         int32_t input_y,
                                         int32_t input_x,
                                         int16_t *patch) {
    const int32_t depth = params->input_channels;
    const int32_t row = params->filter_w * depth;
    const int32_t first = mq_first_tap(input_x, params->dilation_w);
    const int32_t end = mq_end_tap(input_x, params->dilation_w, params->filter_w, params->input_w);
    for (int32_t tap_y = 0; tap_y < params->filter_h; tap_y++) {
        const int32_t y = input_y + tap_y * params->dilation_h;
        const int32_t at = tap_y * row;
        if (y < 0 || y >= params->input_h || first >= end) {
            mq_conv_2d_dsp_s16_copy(patch, at, NULL, row);
            continue;
        }
        const int16_t *pixels = input + y * params->input_w * depth;
        mq_conv_2d_dsp_s16_copy(patch, at, NULL, first * depth);
        if (params->dilation_w == 1) {
            mq_conv_2d_dsp_s16_copy(patch, at + first * depth, pixels + (input_x + first) * depth,
                                    (end - first) * depth);
        } else {
            for (int32_t tap = first; tap < end; tap++) {
                const int32_t x = input_x + tap * params->dilation_w;
                mq_conv_2d_dsp_s16_copy(patch, at + tap * depth, pixels + x * depth, depth);
            }
        }
        mq_conv_2d_dsp_s16_copy(patch, at + end * depth, NULL, (params->filter_w - end) * depth);
    }
}

/* input [input_h][input_w][input_channels], output [output_h][output_w][output_channels].
 * blocks: kernels/dsp/packed_s16.py; bias [output_channels][bias_words], multiplier [output_channels], shift
 * [output_channels], or anything where is_short. scratch: the windows of two pixels, [turns * 2 pairs][2
 * pixels].
 */
MQ_KERNEL void mq_conv_2d_dsp_s16(const mq_conv_2d_dsp_s16_params_t *params,
                                  const int16_t *input,
                                  const int32_t *blocks,
                                  const int32_t *bias,
                                  const int32_t *multiplier,
                                  const int8_t *shift,
                                  int8_t *scratch,
                                  mq_s16_sums_function_t *add_products,
                                  int16_t *output) {
    const mq_s16_dsp_rounding_t rounding = {bias,
                                            multiplier,
                                            shift,
                                            params->is_short,
                                            params->is_int64,
                                            params->bias_words,
                                            params->activation_min,
                                            params->activation_max};
    int16_t *patch = (int16_t *)(void *)scratch;
    const int32_t pixels = params->output_h * params->output_w;
    const int32_t channels = params->output_channels;
    memset(scratch, 0, (size_t)params->turns * 16u); /* what lies behind a window's end stays 0 */
    for (int32_t pixel = 0; pixel < pixels; pixel += 2) {
        const int32_t count = mq_min(pixels - pixel, 2);
        for (int32_t i = 0; i < count; i++) {
            const int32_t y = (pixel + i) / params->output_w;
            const int32_t x = (pixel + i) % params->output_w;
            mq_conv_2d_dsp_s16_window(params, input, y * params->stride_h - params->padding_h,
                                      x * params->stride_w - params->padding_w, patch + 2 * i);
        }
        const int32_t *block = blocks;
        for (int32_t channel = 0; channel < channels; channel += 4) {
            const int32_t some = mq_min(channels - channel, 4);
            int32_t sums[8] = {0};
            if (params->is_short) {
                for (int32_t i = 0; i < some; i++) {
                    sums[2 * i] = bias[channel + i];
                    sums[2 * i + 1] = bias[channel + i];
                }
            }
            add_products(patch, block, params->turns, sums);
            block += 4 * params->turns;
            int16_t *to = output + channel;
            for (int32_t i = 0; i < some; i++) {
                to[i] = mq_s16_dsp_output(&rounding, sums[2 * i], channel + i);
                if (count == 2) {
                    to[channels + i] = mq_s16_dsp_output(&rounding, sums[2 * i + 1], channel + i);
                }
            }
        }
        output += count * channels;
    }
}

#endif
