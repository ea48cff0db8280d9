/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: from exponentials and their sum to a softmax's outputs. ARITHMETIC section 8.
 */
#ifndef MQ_SOFTMAX_H
#define MQ_SOFTMAX_H

#include "mq_common.h"

/* Outputs are exponentials * reciprocal / 2^31 / 2^right, - 128. */
typedef struct {
    int32_t reciprocal; /* Q0.31 */
    int32_t right;
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
    scale.right = 35; /* less the headroom of the sum */
    while (sum < 0x80000000u) {
        sum <<= 1;
        scale.right--;
    }
    scale.reciprocal = mq_softmax_one_over_one_plus((int32_t)(sum - 0x80000000u));
    return scale;
}

/* exponential: Q0.31, not negative. Where `right` is beyond 31, every quotient rounds to 0. */
static inline int8_t mq_softmax_output(int32_t exponential, mq_softmax_scale_t scale) {
    if (scale.right > 31) {
        return INT8_MIN;
    }
    const uint32_t half = (uint32_t)1 << (scale.right - 1);
    const uint32_t quotient = ((uint32_t)mq_high_mul(scale.reciprocal, exponential) + half) >> scale.right;
    return (int8_t)mq_min((int32_t)quotient - 128, INT8_MAX);
}

#endif
