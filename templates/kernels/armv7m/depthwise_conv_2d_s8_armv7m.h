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
    int32_t band_rows; /* output rows computed at once */
    int32_t bands;
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

/* What the functions are told; padding_h and input_rows are a band's own. */
MQ_KERNEL mq_armv7m_strip_t
mq_depthwise_conv_2d_s8_armv7m_strip(const mq_depthwise_conv_2d_s8_armv7m_params_t *params) {
    const int32_t channels = params->input_channels * params->depth_multiplier;
    const int32_t row_bytes = params->output_w * channels;
    const int32_t half = (params->band_rows + 1) / 2;
    const mq_armv7m_strip_t strip = {
        (params->band_rows - half) * row_bytes,
        row_bytes,
        params->output_w,
        4 * (params->stride_w * params->lines - half * params->stride_h),
        channels - half * row_bytes,
        4 * half * params->stride_h,
        mq_min(params->input_w, params->strip_columns - params->padding_w),
        params->input_channels,
        params->input_w * params->input_channels,
        params->input_h,
        params->padding_h,
        (params->band_rows - half) * params->stride_h,
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
    return strip;
}

/* input [input_h][input_w][input_channels], output [output_h][output_w][channels];
 * table [channels][taps + 4], is_wide [channels]: whether the wide function may be used.
 * pack_top, pack_middle, pack_bottom: for the first band, those between, the last.
 * scratch: the strip, [strip_columns][lines] words.
 */
MQ_KERNEL void mq_depthwise_conv_2d_s8_armv7m(const mq_depthwise_conv_2d_s8_armv7m_params_t *params,
                                              const int8_t *input,
                                              const int32_t *table,
                                              const uint8_t *is_wide,
                                              mq_armv7m_pack_function_t *pack_top,
                                              mq_armv7m_pack_function_t *pack_middle,
                                              mq_armv7m_pack_function_t *pack_bottom,
                                              mq_armv7m_window_function_t *safe_windows,
                                              mq_armv7m_window_function_t *wide_windows,
                                              int8_t *scratch,
                                              int8_t *output) {
    int32_t *words = (int32_t *)(void *)scratch;
    const int32_t table_step = params->filter_h * params->filter_w + MQ_ARMV7M_REQUANTIZE_WORDS;
    const int32_t multiplier = params->depth_multiplier;
    mq_armv7m_strip_t strip = mq_depthwise_conv_2d_s8_armv7m_strip(params);
    int32_t *inside = words + params->padding_w * params->lines;
    mq_depthwise_conv_2d_s8_armv7m_fill(params, words, 0, params->padding_w);
    mq_depthwise_conv_2d_s8_armv7m_fill(params, words, params->padding_w + strip.pixels,
                                        params->strip_columns);
    for (int32_t band = 0; band < params->bands; band++) {
        const int32_t start = mq_min(band * params->band_rows, params->output_h - params->band_rows);
        const int32_t row = start * params->stride_h - params->padding_h;
        const int8_t *rows = input + mq_max(row, 0) * strip.input_row_bytes;
        int8_t *outputs = output + start * strip.row_bytes;
        mq_armv7m_pack_function_t *pack = band == 0 ? pack_top : pack_middle;
        pack = band > 0 && band + 1 == params->bands ? pack_bottom : pack;
        strip.padding_h = mq_max(-row, 0);
        strip.input_rows = params->input_h - mq_max(row, 0);
        for (int32_t channel = 0; channel < params->input_channels * multiplier; channel++) {
            mq_armv7m_window_function_t *windows = is_wide[channel] ? wide_windows : safe_windows;
            if (channel % multiplier == 0) {
                pack(rows + channel / multiplier, inside, &strip);
            }
            windows(words, table + channel * table_step, outputs + channel, &strip);
        }
    }
}

#endif
