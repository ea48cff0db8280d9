/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: int16 maximum over height and width, any CPU.
 */
#ifndef MQ_MAX_POOL_2D_S16_H
#define MQ_MAX_POOL_2D_S16_H

#include "mq_common.h"

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
} mq_max_pool_2d_s16_params_t;

/* input [input_h][input_w][channels], output [output_h][output_w][channels]. */
MQ_KERNEL void
mq_max_pool_2d_s16(const mq_max_pool_2d_s16_params_t *params, const int16_t *input, int16_t *output) {
    const int32_t row_elements = params->input_w * params->channels;
    for (int32_t pixel = 0; pixel < params->output_h * params->output_w; pixel++) {
        const int32_t y = pixel / params->output_w * params->stride_h - params->padding_h;
        const int32_t x = pixel % params->output_w * params->stride_w - params->padding_w;
        const int32_t first_y = mq_max(y, 0);
        const int32_t first_x = mq_max(x, 0);
        const int32_t rows = mq_min(y + params->filter_h, params->input_h) - first_y;
        const int32_t columns = mq_min(x + params->filter_w, params->input_w) - first_x;
        const int16_t *corner = input + first_y * row_elements + first_x * params->channels;
        for (int32_t channel = 0; channel < params->channels; channel++) {
            int32_t largest = INT16_MIN;
            const int16_t *in_row = corner + channel;
            for (int32_t row = 0; row < rows; row++) {
                const int16_t *in = in_row;
                for (int32_t column = 0; column < columns; column++) {
                    largest = mq_max(largest, *in);
                    in += params->channels;
                }
                in_row += row_elements;
            }
            *output++ = (int16_t)mq_clamp(largest, params->activation_min, params->activation_max);
        }
    }
}

#endif
