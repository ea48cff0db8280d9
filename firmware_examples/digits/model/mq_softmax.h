/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: from exponentials and their sum to a softmax's outputs. ARITHMETIC section 8.
 */
#ifndef MQ_SOFTMAX_H
#define MQ_SOFTMAX_H

#include "mq_common.h"

/* exp(a) in Q0.31, a <= 0 in Q5.26. The twin of fixed_point.exp_on_negative_values. */
MQ_KERNEL int32_t mq_softmax_exp(int32_t a) {
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

/* Outputs are exponentials * reciprocal / 2^31 / 2^(shift + 1), each rounded, - 128. */
typedef struct {
    int32_t reciprocal; /* Q0.31 */
    int32_t half;       /* of the last rounding, in the upper word of the product */
    int32_t shift;
} mq_softmax_scale_t;

/* 1 / (1 + a) in Q0.31, a in [0, 1] in Q0.31. The twin of fixed_point.one_over_one_plus_x. */
MQ_KERNEL int32_t mq_softmax_one_over_one_plus(int32_t a) {
    const int32_t one = (int32_t)1 << 29; /* Q2.29 */
    const int32_t half_denominator = (int32_t)(((uint32_t)a + 0x80000000u) >> 1);
    int32_t x = 1515870810 + mq_high_mul(half_denominator, -1010580540);
    for (int32_t i = 0; i < 3; i++) {
        x += 4 * mq_high_mul(x, one - mq_high_mul(half_denominator, x));
    }
    return x >= (int32_t)1 << 30 ? INT32_MAX : x * 2;
}

/* sum: of exponentials, Q12.19, at least 1. */
MQ_KERNEL mq_softmax_scale_t mq_softmax_scale(uint32_t sum) {
    mq_softmax_scale_t scale;
    int32_t right = 35; /* less the headroom of the sum: 4 at least */
    while (sum < 0x80000000u) {
        sum <<= 1;
        right--;
    }
    /* From 32 on every quotient rounds to 0. */
    scale.reciprocal = right > 31 ? 0 : mq_softmax_one_over_one_plus((int32_t)(sum - 0x80000000u));
    scale.shift = mq_min(right, 31) - 1;
    scale.half = (int32_t)1 << (scale.shift - 1);
    return scale;
}

/* exponential: Q0.31, not negative. Both roundings at once: floors of floors are floors. */
static inline int8_t mq_softmax_output(int32_t exponential, mq_softmax_scale_t scale) {
    const int64_t halves = ((int64_t)scale.half << 32) + ((int64_t)1 << 30);
    const int64_t product = (int64_t)scale.reciprocal * exponential + halves;
    const int32_t quotient = (int32_t)(product >> 32) >> scale.shift;
    return (int8_t)mq_min(quotient - 128, INT8_MAX);
}

#endif
