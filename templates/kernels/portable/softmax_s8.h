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

/* exp(a) in Q0.31, a <= 0 in Q5.26. The twin of fixed_point.exp_on_negative_values. */
MQ_KERNEL int32_t mq_softmax_s8_exp(int32_t a) {
    /* exp(-2^(i - 2)) in Q0.31 */
    static const int32_t factors[7] = {1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};
    const int32_t exp_minus_one_eighth = 1895147668;
    const int32_t one_third = 715827883;
    const int32_t quarter = (int32_t)1 << 24;
    if (a == 0) {
        return INT32_MAX;
    }
    const int32_t remainder = (a & (quarter - 1)) - quarter;
    const int32_t x = remainder * 32 + ((int32_t)1 << 28);
    const int32_t x2 = mq_high_mul(x, x);
    const int32_t x3 = mq_high_mul(x2, x);
    const int32_t x4 = mq_high_mul(x2, x2);
    const int32_t cubic = mq_high_mul(mq_rounding_divide_by_power_of_two(x4, 2) + x3, one_third);
    const int32_t polynomial = mq_rounding_divide_by_power_of_two(cubic + x2, 1);
    int32_t result = exp_minus_one_eighth + mq_high_mul(exp_minus_one_eighth, x + polynomial);
    const int32_t rest = remainder - a;
    for (int32_t i = 0; i < 7; i++) {
        if ((rest >> (24 + i)) & 1) {
            result = mq_high_mul(result, factors[i]);
        }
    }
    return result;
}

/* The exponential of a difference to the row's maximum, Q0.31. */
MQ_KERNEL int32_t mq_softmax_s8_exp_of(const mq_softmax_s8_params_t *params, int32_t difference) {
    if (difference < params->smallest_difference) {
        return 0;
    }
    const int32_t scaled = (int32_t)((uint32_t)difference << params->shift);
    return mq_softmax_s8_exp(mq_high_mul(scaled, params->multiplier));
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
                scale.right <= 31 ? mq_softmax_s8_exp_of(params, input[i] - largest) : 0;
            output[i] = mq_softmax_output(exponential, scale);
        }
        input += params->row_size;
        output += params->row_size;
    }
}

#endif
