/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: float32 rows over their Euclidean lengths, any CPU. Works in place.
 */
#ifndef MQ_L2_NORMALIZATION_F32_H
#define MQ_L2_NORMALIZATION_F32_H

#include "mq_float_functions.h"

typedef struct {
    int32_t rows;
    int32_t row_size;
} mq_l2_normalization_f32_params_t;

/* input, output [rows][row_size]. */
MQ_KERNEL void
mq_l2_normalization_f32(const mq_l2_normalization_f32_params_t *params, const float *input, float *output) {
    for (int32_t row = 0; row < params->rows; row++) {
        float sum = 0.0f;
        for (int32_t i = 0; i < params->row_size; i++) {
            sum += input[i] * input[i];
        }
        const float length = mq_sqrt_f32(sum);
        const float divisor = length > 1e-6f ? length : 1e-6f;
        for (int32_t i = 0; i < params->row_size; i++) {
            output[i] = input[i] / divisor;
        }
        input += params->row_size;
        output += params->row_size;
    }
}

#endif
