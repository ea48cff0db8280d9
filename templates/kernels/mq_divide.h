/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: quotients of quantized numbers. ARITHMETIC section 6. Twin: ops/div.py.
 */
#ifndef MQ_DIVIDE_H
#define MQ_DIVIDE_H

#include "mq_softmax.h"

/* Zeros in front of the first one of x > 0. */
static inline int32_t mq_leading_zeros(uint32_t x) {
    int32_t count = 0;
    while ((x & 0x80000000u) == 0u) {
        x <<= 1;
        count++;
    }
    return count;
}

/* a / b by the ratio of the scales, less the output's zero_point. Beyond all types by 0, but 0 / 0 is 0. */
static inline int32_t mq_divide(int32_t a, int32_t b, int32_t multiplier, int32_t shift) {
    if (a == 0 || b == 0) {
        return a == 0 ? 0 : a > 0 ? (int32_t)1 << 20 : -((int32_t)1 << 20);
    }
    const uint32_t size_a = (uint32_t)(a < 0 ? -a : a);
    const uint32_t size_b = (uint32_t)(b < 0 ? -b : b);
    const int32_t zeros = mq_leading_zeros(size_b);
    const int32_t inverse = mq_softmax_one_over_one_plus((int32_t)((size_b << zeros) - 0x80000000u));
    const int32_t negative = (a < 0) != (b < 0);
    /* A negative number has one value more in as many bits. */
    const int32_t headroom = mq_leading_zeros(negative ? 2u * size_a - 1u : size_a) - 1;
    const int32_t magnitude = (int32_t)(size_a << headroom);
    const int32_t quotient =
        mq_high_mul(negative ? (int32_t)(0u - (size_a << headroom)) : magnitude, inverse);
    const int32_t right = 31 - zeros + headroom - shift;
    if (right > 31) {
        return 0;
    }
    return mq_rounding_divide_by_power_of_two(mq_high_mul(quotient, multiplier), right);
}

#endif
