/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: int8 rows over their Euclidean lengths, any CPU. Works in place. ARITHMETIC section 23.
 */
#ifndef MQ_L2_NORMALIZATION_S8_H
#define MQ_L2_NORMALIZATION_S8_H

#include "mq_inverse_sqrt.h"

typedef struct {
    int32_t rows;
    int32_t row_size;
    int32_t input_zero_point;
} mq_l2_normalization_s8_params_t;

/* input, output [rows][row_size]; the output's scale is 1/128, its zero_point 0. */
MQ_KERNEL void
mq_l2_normalization_s8(const mq_l2_normalization_s8_params_t *params, const int8_t *input, int8_t *output) {
    for (int32_t row = 0; row < params->rows; row++) {
        int32_t sum = 0;
        for (int32_t i = 0; i < params->row_size; i++) {
            const int32_t steps = input[i] - params->input_zero_point;
            sum += steps * steps;
        }
        const mq_inverse_sqrt_t inverse = mq_inverse_sqrt(sum);
        for (int32_t i = 0; i < params->row_size; i++) {
            output[i] = mq_requantize_to_int8(input[i] - params->input_zero_point, inverse.multiplier,
                                              inverse.shift + 7, 0, INT8_MIN, INT8_MAX);
        }
        input += params->row_size;
        output += params->row_size;
    }
}

#endif
