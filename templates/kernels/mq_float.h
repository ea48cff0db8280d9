/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: float32 arithmetic. Single precision throughout, and nothing of the C library's, so that every
 * core, with or without an FPU, computes the same (compile with -ffp-contract=off). ARITHMETIC section 13.
 */
#ifndef MQ_FLOAT_H
#define MQ_FLOAT_H

#include <math.h> /* INFINITY */

#include "mq_common.h"

/* NaN stays NaN. */
static inline float mq_clamp_f32(float x, float low, float high) {
    return x < low ? low : x > high ? high : x;
}

static inline uint32_t mq_bits_of_f32(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float mq_f32_of_bits(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* exp(x), within 2 units in the last place; 0 below where it would be subnormal. */
static inline float mq_exp_f32(float x) {
    if (!(x > -87.3f)) {
        return x <= -87.3f ? 0.0f : x; /* NaN */
    }
    if (x > 88.7f) {
        return INFINITY;
    }
    /* x = n ln 2 + r, |r| <= ln 2 / 2. ln 2 in two parts, of which the first times n is exact. */
    const int32_t n = (int32_t)(x * 1.44269504f + (x < 0.0f ? -0.5f : 0.5f));
    const float r = (x - (float)n * 0.693359375f) + (float)n * 2.12194440e-4f;
    /* Taylor's polynomial: what follows is below 2^-24 of the sum. */
    float p = 1.0f / 5040.0f;
    p = p * r + 1.0f / 720.0f;
    p = p * r + 1.0f / 120.0f;
    p = p * r + 1.0f / 24.0f;
    p = p * r + 1.0f / 6.0f;
    p = p * r + 0.5f;
    p = p * (r * r) + r + 1.0f;
    /* 2^n in two factors: n may be 128. */
    const int32_t half = n >> 1;
    return p * mq_f32_of_bits((uint32_t)(half + 127) << 23) *
           mq_f32_of_bits((uint32_t)(n - half + 127) << 23);
}

#endif
