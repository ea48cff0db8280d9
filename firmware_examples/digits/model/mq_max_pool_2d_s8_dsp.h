/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: int8 maximum over height and width, four channels at once (Cortex-M4, M7, M33).
 */
#ifndef MQ_MAX_POOL_2D_S8_DSP_H
#define MQ_MAX_POOL_2D_S8_DSP_H

#include "mq_dsp.h"

typedef struct {
    int32_t input_h;
    int32_t input_w;
    int32_t channels; /* at least 4 */
    int32_t filter_h;
    int32_t filter_w;
    int32_t output_h;
    int32_t output_w;
    int32_t stride_h;
    int32_t stride_w;
    int32_t padding_h; /* rows of padding before the input; windows are cut at the border */
    int32_t padding_w;
    int32_t activation_min;
    int32_t activation_max;
    int32_t whole_first; /* of a row's windows, the first that the border does not cut on either side */
    int32_t whole_count;
} mq_max_pool_2d_s8_dsp_params_t;

/* count whole windows, not 0, stride_w pixels apart. The function in assembly knows the params already. */
typedef void mq_max_pool_2d_s8_dsp_function_t(const int8_t *window,
                                              int8_t *output,
                                              int32_t count,
                                              const mq_max_pool_2d_s8_dsp_params_t *params);

/* One window of rows x columns pixels. */
MQ_KERNEL void mq_max_pool_2d_s8_dsp_window(const mq_max_pool_2d_s8_dsp_params_t *params,
                                            const int8_t *corner,
                                            int32_t rows,
                                            int32_t columns,
                                            int8_t *output) {
    const int32_t row_elements = params->input_w * params->channels;
    const uint32_t low = 0x01010101u * (uint8_t)params->activation_min;
    const uint32_t high = 0x01010101u * (uint8_t)params->activation_max;
    for (int32_t next = 0; next < params->channels; next += 4) {
        const int32_t channel = mq_min(next, params->channels - 4);
        const int8_t *in_row = corner + channel;
        uint32_t largest = low;
        for (int32_t row = 0; row < rows; row++) {
            const int8_t *in = in_row;
            for (int32_t column = 0; column < columns; column++) {
                largest = mq_largest_bytes(largest, mq_load_word(in));
                in += params->channels;
            }
            in_row += row_elements;
        }
        mq_store_word(output + channel, mq_smallest_bytes(largest, high));
    }
}

MQ_TWIN void mq_max_pool_2d_s8_dsp_twin(const int8_t *window,
                                        int8_t *output,
                                        int32_t count,
                                        const mq_max_pool_2d_s8_dsp_params_t *params) {
    for (int32_t i = 0; i < count; i++) {
        mq_max_pool_2d_s8_dsp_window(params, window, params->filter_h, params->filter_w, output);
        window += params->stride_w * params->channels;
        output += params->channels;
    }
}

/* input [input_h][input_w][channels], output [output_h][output_w][channels]. */
MQ_KERNEL void mq_max_pool_2d_s8_dsp(const mq_max_pool_2d_s8_dsp_params_t *params,
                                     mq_max_pool_2d_s8_dsp_function_t *whole_windows,
                                     const int8_t *input,
                                     int8_t *output) {
    for (int32_t out_y = 0; out_y < params->output_h; out_y++) {
        const int32_t y = out_y * params->stride_h - params->padding_h;
        const int32_t first_y = mq_max(y, 0);
        const int32_t rows = mq_min(y + params->filter_h, params->input_h) - first_y;
        const int8_t *in_row = input + first_y * params->input_w * params->channels;
        const int32_t whole = rows == params->filter_h ? params->whole_count : 0;
        int32_t out_x = 0;
        while (out_x < params->output_w) {
            const int32_t x = out_x * params->stride_w - params->padding_w;
            const int32_t first_x = mq_max(x, 0);
            const int32_t columns = mq_min(x + params->filter_w, params->input_w) - first_x;
            const int8_t *corner = in_row + first_x * params->channels;
            int32_t count = 1;
            if (whole != 0 && out_x == params->whole_first) {
                count = whole;
                whole_windows(corner, output, count, params);
            } else {
                mq_max_pool_2d_s8_dsp_window(params, corner, rows, columns, output);
            }
            output += count * params->channels;
            out_x += count;
        }
    }
}

#endif
