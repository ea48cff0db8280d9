/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: int8 depthwise convolution over height and width, for Cortex-M3 and later: channel by
 * channel, from a strip that has padding in it.
 */
#ifndef MQ_DEPTHWISE_CONV_2D_S8_ARMV7M_H
#define MQ_DEPTHWISE_CONV_2D_S8_ARMV7M_H

#include "mq_armv7m_strips.h"

typedef struct {
    int32_t input_h;
    int32_t input_w;
    int32_t input_channels;
    int32_t filter_h;
    int32_t filter_w;
    int32_t output_h;
    int32_t output_w;
    int32_t depth_multiplier;
    int32_t stride_h;
    int32_t stride_w;
    int32_t dilation_h;
    int32_t dilation_w;
    int32_t padding_h; /* rows of padding before the input */
    int32_t padding_w;
    int32_t input_zero_point;
    int32_t half;          /* output rows in each half of the image */
    int32_t lines;         /* words of a column of the strip */
    int32_t strip_columns; /* padding included */
    int32_t rounds_away;   /* from here on as in mq_armv7m_rounding_t */
    int32_t shift;
    int32_t output_zero_point;
    int32_t activation_min;
    int32_t activation_max;
} mq_depthwise_conv_2d_s8_armv7m_params_t;

/* Columns `first` to before `end` of the strip become padding. */
MQ_KERNEL void mq_depthwise_conv_2d_s8_armv7m_fill(const mq_depthwise_conv_2d_s8_armv7m_params_t *params,
                                                   int32_t *words,
                                                   int32_t first,
                                                   int32_t end) {
    const uint32_t zero_point = (uint32_t)params->input_zero_point;
    for (int32_t word = first * params->lines; word < end * params->lines; word++) {
        words[word] = (int32_t)(zero_point + (zero_point << 16));
    }
}

/* input [input_h][input_w][input_channels], output [output_h][output_w][channels];
 * table [channels][taps + 4], is_wide [channels]: whether the wide function may be used.
 * scratch: the strip, [strip_columns][lines] words.
 */
MQ_KERNEL void mq_depthwise_conv_2d_s8_armv7m(const mq_depthwise_conv_2d_s8_armv7m_params_t *params,
                                              const int8_t *input,
                                              const int32_t *table,
                                              const uint8_t *is_wide,
                                              mq_armv7m_pack_function_t *pack,
                                              mq_armv7m_window_function_t *safe_windows,
                                              mq_armv7m_window_function_t *wide_windows,
                                              int8_t *scratch,
                                              int8_t *output) {
    int32_t *words = (int32_t *)(void *)scratch;
    const int32_t channels = params->input_channels * params->depth_multiplier;
    const int32_t taps = params->filter_h * params->filter_w;
    const int32_t row_bytes = params->output_w * channels;
    const int32_t pixels = mq_min(params->input_w, params->strip_columns - params->padding_w);
    const mq_armv7m_strip_t strip = {
        (params->output_h - params->half) * row_bytes,
        row_bytes,
        params->output_w,
        4 * (params->stride_w * params->lines - params->half * params->stride_h),
        channels - params->half * row_bytes,
        4 * params->half * params->stride_h,
        pixels,
        params->input_channels,
        params->input_w * params->input_channels,
        params->input_h,
        params->padding_h,
        (params->output_h - params->half) * params->stride_h,
        params->lines,
        params->stride_h,
        params->filter_h,
        params->filter_w,
        params->dilation_h,
        params->dilation_w * params->lines,
        params->input_zero_point,
        {params->rounds_away, params->shift, params->output_zero_point, params->activation_min,
         params->activation_max},
    };
    mq_depthwise_conv_2d_s8_armv7m_fill(params, words, 0, params->padding_w);
    mq_depthwise_conv_2d_s8_armv7m_fill(params, words, params->padding_w + pixels, params->strip_columns);
    for (int32_t channel = 0; channel < channels; channel++) {
        if (channel % params->depth_multiplier == 0) {
            pack(input++, words + params->padding_w * params->lines, &strip);
        }
        if (is_wide[channel]) {
            wide_windows(words, table, output + channel, &strip);
        } else {
            safe_windows(words, table, output + channel, &strip);
        }
        table += taps + MQ_ARMV7M_REQUANTIZE_WORDS;
    }
}

#endif
