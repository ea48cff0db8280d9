/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: int8 convolution with narrow windows on Helium. The windows of one output column, each filter
 * row rounded up to words, lie under each other in the scratch: an output's window is one run of bytes.
 */
#ifndef MQ_CONV_2D_COLUMNS_S8_MVE_H
#define MQ_CONV_2D_COLUMNS_S8_MVE_H

#include "mq_mve.h"

/* In bytes where nothing else is said. */
typedef struct {
    int32_t input_h; /* rows */
    int32_t input_row;
    int32_t stride_h;  /* rows */
    int32_t padding_h; /* rows */
    int32_t padding_row;
    int32_t padded_row;
    int32_t stride_row;
    int32_t filter_row;
    int32_t column; /* of windows in the scratch */
    int32_t input_zero_point;
    int32_t output_h;
    int32_t output_w;
    int32_t classes; /* outputs so many rows apart share inputs */
    int32_t pixels;
    int32_t channels;
    int32_t vectors;
    int32_t output_zero_point;
    int32_t activation_min;
    int32_t activation_max;
} mq_conv_2d_columns_s8_mve_params_t;

/* All columns of windows. row: place for a padded row of the input. */
static inline void mq_conv_2d_columns_s8_mve_fill(const mq_conv_2d_columns_s8_mve_params_t *params,
                                                  const int8_t *input,
                                                  int8_t *row,
                                                  int8_t *columns) {
    memset(row, params->input_zero_point, (size_t)(params->padded_row + params->output_w * params->column));
    columns += params->padding_h * params->filter_row;
    for (int32_t y = 0; y < params->input_h; y++) {
        memcpy(row + params->padding_row, input, (size_t)params->input_row);
        input += params->input_row;
        const int8_t *from = row;
        int8_t *to = columns;
        for (int32_t x = 0; x < params->output_w; x++) {
            for (int32_t i = 0; i < params->filter_row; i += 4) {
                memcpy(to + i, from + i, 4);
            }
            from += params->stride_row;
            to += params->column;
        }
        columns += params->filter_row;
    }
}

/* input NHWC, output NHWC. packed: see kernels/mve/dots.py. */
MQ_KERNEL void mq_conv_2d_columns_s8_mve(const mq_conv_2d_columns_s8_mve_params_t *params,
                                         const int8_t *input,
                                         const int8_t *packed,
                                         mq_mve_dots_function_t *dots,
                                         int8_t *scratch,
                                         int8_t *output) {
    const int32_t window = params->stride_h * params->filter_row;
    const int32_t output_row = params->output_w * params->channels;
    const mq_mve_dots_t shape = {
        params->pixels,
        params->channels,
        1,
        params->vectors,
        MQ_MVE_VECTOR,
        params->vectors * MQ_MVE_VECTOR,
        0,
        0,
        0,
        params->classes * window,
        params->classes * output_row,
        {params->output_zero_point, params->activation_min, params->activation_max},
    };
    const int8_t *column = scratch + params->padded_row;
    mq_conv_2d_columns_s8_mve_fill(params, input, scratch, scratch + params->padded_row);
    for (int32_t x = 0; x < params->output_w; x++) {
        for (int32_t first = 0; first < params->classes; first++) {
            const int32_t count = (params->output_h - first + params->classes - 1) / params->classes;
            const int8_t *run = column + first * window;
            int8_t *to = output + first * output_row;
            dots(&run, to, packed, count / params->pixels, &shape);
            if (count % params->pixels != 0) {
                /* Those left over, with some that are done already. */
                run += (count - params->pixels) * shape.pixel_input;
                dots(&run, to + (count - params->pixels) * shape.pixel_output, packed, 1, &shape);
            }
        }
        column += params->column;
        output += params->channels;
    }
}

#endif
