/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: int8 maximum over height and width on Helium.
 */
#ifndef MQ_MAX_POOL_2D_S8_MVE_H
#define MQ_MAX_POOL_2D_S8_MVE_H

#include "mq_mve.h"

typedef struct {
    int32_t input_h;
    int32_t input_w;
    int32_t channels;
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
} mq_max_pool_2d_s8_mve_params_t;

/* What is left of a window, in pixels. The functions in assembly know the params already. */
typedef struct {
    int32_t rows;
    int32_t columns;
    const mq_max_pool_2d_s8_mve_params_t *params;
} mq_max_pool_2d_s8_mve_window_t;

/* count windows, not 0, of one size, stride_w pixels apart. */
typedef void mq_max_pool_2d_s8_mve_function_t(const int8_t *corner,
                                              int8_t *output,
                                              int32_t count,
                                              const mq_max_pool_2d_s8_mve_window_t *window);

MQ_TWIN void mq_max_pool_2d_s8_mve_twin(const int8_t *corner,
                                        int8_t *output,
                                        int32_t count,
                                        const mq_max_pool_2d_s8_mve_window_t *window) {
    const mq_max_pool_2d_s8_mve_params_t *params = window->params;
    for (int32_t i = 0; i < count * params->channels; i++) {
        const int32_t first = i / params->channels * params->stride_w;
        int32_t largest = params->activation_min;
        for (int32_t pixel = 0; pixel < window->rows * window->columns; pixel++) {
            const int32_t column = first + pixel % window->columns;
            const int32_t at = pixel / window->columns * params->input_w + column;
            largest = mq_max(largest, corner[at * params->channels + i % params->channels]);
        }
        output[i] = (int8_t)mq_min(largest, params->activation_max);
    }
}

/* input [input_h][input_w][channels], output [output_h][output_w][channels]. */
MQ_KERNEL void mq_max_pool_2d_s8_mve(const mq_max_pool_2d_s8_mve_params_t *params,
                                     mq_max_pool_2d_s8_mve_function_t *whole_windows,
                                     mq_max_pool_2d_s8_mve_function_t *any_windows,
                                     const int8_t *input,
                                     int8_t *output) {
    for (int32_t out_y = 0; out_y < params->output_h; out_y++) {
        const int32_t y = out_y * params->stride_h - params->padding_h;
        const int32_t first_y = mq_max(y, 0);
        const int32_t rows = mq_min(y + params->filter_h, params->input_h) - first_y;
        const int8_t *in_row = input + first_y * params->input_w * params->channels;
        int32_t out_x = 0;
        while (out_x < params->output_w) {
            const int32_t x = out_x * params->stride_w - params->padding_w;
            const int32_t first_x = mq_max(x, 0);
            const int32_t columns = mq_min(x + params->filter_w, params->input_w) - first_x;
            const mq_max_pool_2d_s8_mve_window_t window = {rows, columns, params};
            const int8_t *corner = in_row + first_x * params->channels;
            /* Those that only the upper or lower border cuts are of one size, too. */
            const int32_t count =
                params->whole_count != 0 && out_x == params->whole_first ? params->whole_count : 1;
            if (rows == params->filter_h && columns == params->filter_w) {
                whole_windows(corner, output, count, &window);
            } else {
                any_windows(corner, output, count, &window);
            }
            output += count * params->channels;
            out_x += count;
        }
    }
}

#endif
