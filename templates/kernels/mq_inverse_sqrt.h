/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: 1 / sqrt of an integer, as what mq_requantize takes. ARITHMETIC section 23.
 */
#ifndef MQ_INVERSE_SQRT_H
#define MQ_INVERSE_SQRT_H

#include "mq_common.h"

typedef struct {
    int32_t multiplier;
    int32_t shift; /* 0 or to the right, so negative */
} mq_inverse_sqrt_t;

/* x: not negative; 0 counts as 1. The twin of fixed_point.inverse_sqrt. */
MQ_KERNEL mq_inverse_sqrt_t mq_inverse_sqrt(int32_t x) {
    mq_inverse_sqrt_t inverse = {INT32_MAX, 0};
    if (x <= 1) {
        return inverse;
    }
    int32_t right = 11;
    if (x >= (int32_t)1 << 29) {
        x >>= 2;
        right++;
    }
    while (x < (int32_t)1 << 27) {
        x *= 4;
        right--;
    }
    /* Newton's iteration in Q3.28, from 1. */
    const int32_t half = mq_rounding_divide_by_power_of_two(x >> 1, 1);
    int32_t y = (int32_t)1 << 28;
    for (int32_t i = 0; i < 5; i++) {
        const int32_t cube = mq_high_mul(mq_high_mul(y, y), y); /* in Q9.22 */
        const int32_t saturated = cube >= (int32_t)1 << 25 ? INT32_MAX : cube * 64;
        y = (mq_high_mul(y, (int32_t)3 << 27) - mq_high_mul(half, saturated)) * 8;
    }
    y = mq_high_mul(y, 1518500250); /* sqrt(1/2) in Q0.31 */
    inverse.multiplier = right < 0 ? (int32_t)((uint32_t)y << -right) : y;
    inverse.shift = right < 0 ? 0 : -right;
    return inverse;
}

#endif
