/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: float32 softmax, any CPU. Works in place.
 */
#ifndef MQ_SOFTMAX_F32_H
#define MQ_SOFTMAX_F32_H

#include "mq_float.h"

typedef struct {
    int32_t rows;
    int32_t row_size;
    float beta; /* factor of the logits */
} mq_softmax_f32_params_t;

/* input, output [rows][row_size]. */
MQ_KERNEL void mq_softmax_f32(const mq_softmax_f32_params_t *params, const float *input, float *output) {
    for (int32_t row = 0; row < params->rows; row++) {
        float largest = input[0];
        for (int32_t i = 1; i < params->row_size; i++) {
            largest = input[i] > largest ? input[i] : largest;
        }
        float sum = 0.0f;
        for (int32_t i = 0; i < params->row_size; i++) {
            output[i] = mq_exp_f32((input[i] - largest) * params->beta);
            sum += output[i];
        }
        for (int32_t i = 0; i < params->row_size; i++) {
            output[i] /= sum;
        }
        input += params->row_size;
        output += params->row_size;
    }
}

#endif
