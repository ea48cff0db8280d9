/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: int8 convolution over height and width, for Cortex-M3 and later. Windows inside the
 * input are read where they are; those that reach into padding are gathered into scratch.
 */
#ifndef MQ_CONV_2D_S8_ARMV7M_H
#define MQ_CONV_2D_S8_ARMV7M_H

#include "mq_armv7m_dot.h"

typedef struct {
    int32_t input_h;
    int32_t input_w;
    int32_t input_channels;
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
    int32_t input_zero_point;
    int32_t inside_first; /* output columns whose windows lie between the input's sides, from first */
    int32_t inside_end;   /* to before end */
    int32_t table_bytes;
    int32_t runs; /* from here on as in mq_armv7m_dot_t */
    int32_t run_length;
    int32_t output_channels;
    int32_t low_start;
    int32_t rounds_away;
    int32_t shift;
    int32_t output_zero_point;
    int32_t activation_min;
    int32_t activation_max;
} mq_conv_2d_s8_armv7m_params_t;

/* Copy the window at row y, column x into scratch, with zero_point where it reaches out of the input. */
MQ_KERNEL void mq_conv_2d_s8_armv7m_gather(
    const mq_conv_2d_s8_armv7m_params_t *params, const int8_t *input, int32_t y, int32_t x, int8_t *scratch) {
    const int32_t depth = params->input_channels;
    const int32_t first = mq_min(mq_first_tap(x, params->dilation_w), params->filter_w);
    const int32_t end = mq_max(mq_end_tap(x, params->dilation_w, params->filter_w, params->input_w), first);
    for (int32_t tap_y = 0; tap_y < params->filter_h; tap_y++) {
        const int32_t row = y + tap_y * params->dilation_h;
        const int32_t is_inside = row >= 0 && row < params->input_h;
        const int32_t begin = is_inside ? first : params->filter_w;
        const int32_t stop = is_inside ? end : params->filter_w;
        memset(scratch, params->input_zero_point, (size_t)(begin * depth));
        if (params->dilation_w == 1 && begin < stop) {
            memcpy(scratch + begin * depth, input + (row * params->input_w + x + begin) * depth,
                   (size_t)((stop - begin) * depth));
        } else {
            for (int32_t tap_x = begin; tap_x < stop; tap_x++) {
                const int32_t column = x + tap_x * params->dilation_w;
                memcpy(scratch + tap_x * depth, input + (row * params->input_w + column) * depth,
                       (size_t)depth);
            }
        }
        memset(scratch + stop * depth, params->input_zero_point, (size_t)((params->filter_w - stop) * depth));
        scratch += params->filter_w * depth;
    }
}

/* input [input_h][input_w][input_channels], output [output_h][output_w][output_channels].
 * scratch: one window.
 */
MQ_KERNEL void mq_conv_2d_s8_armv7m(const mq_conv_2d_s8_armv7m_params_t *params,
                                    const int8_t *input,
                                    const int32_t *table,
                                    mq_armv7m_dot_function_t *function,
                                    int8_t *scratch,
                                    int8_t *output) {
    const int32_t row_bytes = params->input_w * params->input_channels;
    mq_armv7m_dot_t dot = {
        1,
        params->stride_w * params->input_channels,
        0,
        params->table_bytes,
        params->runs,
        params->run_length,
        params->output_channels,
        params->low_start,
        {params->rounds_away, params->shift, params->output_zero_point, params->activation_min,
         params->activation_max},
    };
    for (int32_t out_y = 0; out_y < params->output_h; out_y++) {
        const int32_t y = out_y * params->stride_h - params->padding_h;
        const int32_t is_inside = y >= 0 && y + (params->filter_h - 1) * params->dilation_h < params->input_h;
        const int32_t first = is_inside ? params->inside_first : params->output_w;
        const int32_t end = is_inside ? params->inside_end : params->output_w;
        int32_t out_x = 0;
        while (out_x < params->output_w) {
            const int32_t x = out_x * params->stride_w - params->padding_w;
            const int8_t *window = scratch;
            if (out_x == first && first < end) {
                window = input + y * row_bytes + x * params->input_channels;
                dot.pixels = end - first;
                dot.run_step = params->dilation_h * row_bytes - params->run_length;
            } else {
                mq_conv_2d_s8_armv7m_gather(params, input, y, x, scratch);
                dot.pixels = 1;
                dot.run_step = 0;
            }
            function(window, table, output, &dot);
            out_x += dot.pixels;
            output += dot.pixels * params->output_channels;
        }
    }
}

#endif
