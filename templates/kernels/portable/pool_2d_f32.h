/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: float32 mean or maximum over height and width, any CPU.
 */
#ifndef MQ_POOL_2D_F32_H
#define MQ_POOL_2D_F32_H

#include "mq_float.h"

typedef struct {
    int32_t maximum; /* 1: the largest, 0: the mean */
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
    float activation_min;
    float activation_max;
} mq_pool_2d_f32_params_t;

/* input [input_h][input_w][channels], output [output_h][output_w][channels]. */
MQ_KERNEL void mq_pool_2d_f32(const mq_pool_2d_f32_params_t *params, const float *input, float *output) {
    const int32_t row_elements = params->input_w * params->channels;
    for (int32_t pixel = 0; pixel < params->output_h * params->output_w; pixel++) {
        const int32_t y = pixel / params->output_w * params->stride_h - params->padding_h;
        const int32_t x = pixel % params->output_w * params->stride_w - params->padding_w;
        const int32_t first_y = mq_max(y, 0);
        const int32_t first_x = mq_max(x, 0);
        const int32_t rows = mq_min(y + params->filter_h, params->input_h) - first_y;
        const int32_t columns = mq_min(x + params->filter_w, params->input_w) - first_x;
        const float *corner = input + first_y * row_elements + first_x * params->channels;
        for (int32_t channel = 0; channel < params->channels; channel++) {
            float result = params->maximum ? -INFINITY : 0.0f;
            const float *in_row = corner + channel;
            for (int32_t row = 0; row < rows; row++) {
                const float *in = in_row;
                for (int32_t column = 0; column < columns; column++) {
                    result = !params->maximum ? result + *in : *in > result ? *in : result;
                    in += params->channels;
                }
                in_row += row_elements;
            }
            if (!params->maximum) {
                result /= (float)(rows * columns);
            }
            *output++ = mq_clamp_f32(result, params->activation_min, params->activation_max);
        }
    }
}

#endif
