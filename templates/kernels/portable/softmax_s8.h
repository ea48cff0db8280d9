/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: int8 softmax in integers, any CPU. Works in place. ARITHMETIC section 8.
 */
#ifndef MQ_SOFTMAX_S8_H
#define MQ_SOFTMAX_S8_H

#include "mq_softmax.h"

typedef struct {
    int32_t rows;
    int32_t row_size;
    int32_t multiplier; /* from differences of inputs to Q5.26; the shift is to the left */
    int32_t shift;
    int32_t smallest_difference; /* below it an exponential is 0 */
} mq_softmax_s8_params_t;

/* The exponential of a difference to the row's maximum, Q0.31. */
MQ_KERNEL int32_t mq_softmax_s8_exp_of(const mq_softmax_s8_params_t *params, int32_t difference) {
    if (difference < params->smallest_difference) {
        return 0;
    }
    const int32_t scaled = (int32_t)((uint32_t)difference << params->shift);
    return mq_softmax_exp(mq_high_mul(scaled, params->multiplier));
}

/* input, output [rows][row_size]; the output's scale is 1/256, its zero_point -128. */
MQ_KERNEL void mq_softmax_s8(const mq_softmax_s8_params_t *params, const int8_t *input, int8_t *output) {
    /* From a sum of 512 on (Q12.19), every quotient rounds to 0. */
    const uint32_t largest_sum = (uint32_t)1 << 28;
    for (int32_t row = 0; row < params->rows; row++) {
        int32_t largest = INT8_MIN;
        for (int32_t i = 0; i < params->row_size; i++) {
            largest = mq_max(largest, input[i]);
        }
        uint32_t sum = 0;
        for (int32_t i = 0; i < params->row_size && sum < largest_sum; i++) {
            const int32_t exponential = mq_softmax_s8_exp_of(params, input[i] - largest);
            sum += (uint32_t)mq_rounding_divide_by_power_of_two(exponential, 12);
        }
        const mq_softmax_scale_t scale = mq_softmax_scale(sum);
        for (int32_t i = 0; i < params->row_size; i++) {
            const int32_t exponential =
                scale.reciprocal != 0 ? mq_softmax_s8_exp_of(params, input[i] - largest) : 0;
            output[i] = mq_softmax_output(exponential, scale);
        }
        input += params->row_size;
        output += params->row_size;
    }
}

#endif
