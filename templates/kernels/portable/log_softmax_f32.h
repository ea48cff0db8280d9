/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: float32 logarithm of softmax, any CPU. Works in place.
 */
#ifndef MQ_LOG_SOFTMAX_F32_H
#define MQ_LOG_SOFTMAX_F32_H

#include "mq_float_functions.h"

typedef struct {
    int32_t rows;
    int32_t row_size;
} mq_log_softmax_f32_params_t;

/* input, output [rows][row_size]. */
MQ_KERNEL void
mq_log_softmax_f32(const mq_log_softmax_f32_params_t *params, const float *input, float *output) {
    for (int32_t row = 0; row < params->rows; row++) {
        float largest = input[0];
        for (int32_t i = 1; i < params->row_size; i++) {
            largest = input[i] > largest ? input[i] : largest;
        }
        float sum = 0.0f;
        for (int32_t i = 0; i < params->row_size; i++) {
            sum += mq_exp_f32(input[i] - largest);
        }
        const float logarithm = mq_log_f32(sum);
        for (int32_t i = 0; i < params->row_size; i++) {
            output[i] = (input[i] - largest) - logarithm;
        }
        input += params->row_size;
        output += params->row_size;
    }
}

#endif
