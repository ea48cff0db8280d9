/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: quotients, remainders and powers of float32, without the C library. ARITHMETIC section 13.
 */
#ifndef MQ_FLOAT_POWERS_H
#define MQ_FLOAT_POWERS_H

#include "mq_float_functions.h"

/* 2^exponent, exponent in [-126, 127]. */
static inline float mq_power_of_two_f32(int32_t exponent) {
    return mq_f32_of_bits((uint32_t)(exponent + 127) << 23);
}

/* The floor of the quotient in double precision: one of single precision may be rounded up to the next
 * integer. */
static inline float mq_floor_div_f32(float a, float b) {
    const double quotient = (double)a / (double)b;
    if (!(quotient < 9007199254740992.0 && quotient > -9007199254740992.0) || (float)quotient == 0.0f) {
        return quotient < 0.0 && quotient > -1.0 ? -1.0f : (float)quotient; /* an integer, or NaN */
    }
    const int64_t whole = (int64_t)quotient;
    return (float)(whole - (quotient < (double)whole ? 1 : 0));
}

/* What a division towards zero leaves, exactly: of whole mantissas, bit by bit. */
static inline float mq_remainder_f32(float a, float b) {
    const uint32_t x = mq_bits_of_f32(a) & 0x7FFFFFFFu;
    const uint32_t y = mq_bits_of_f32(b) & 0x7FFFFFFFu;
    if (x >= 0x7F800000u || y > 0x7F800000u || y == 0u) {
        return NAN;
    }
    if (x < y) {
        return a;
    }
    int32_t exponent_x = (int32_t)(x >> 23);
    int32_t exponent_y = (int32_t)(y >> 23);
    const uint32_t whole_y = (y & 0x007FFFFFu) | (exponent_y != 0 ? 0x00800000u : 0u);
    uint32_t rest = (x & 0x007FFFFFu) | (exponent_x != 0 ? 0x00800000u : 0u);
    exponent_x = exponent_x != 0 ? exponent_x : 1; /* subnormal */
    exponent_y = exponent_y != 0 ? exponent_y : 1;
    rest %= whole_y;
    for (int32_t bit = exponent_x - exponent_y; bit > 0 && rest != 0u; bit--) {
        rest *= 2u;
        rest -= rest >= whole_y ? whole_y : 0u;
    }
    /* rest * 2^(exponent_y - 150), which a float holds; in two steps, as the power alone may be too small. */
    const int32_t exponent = exponent_y - 150;
    const int32_t second = exponent < -100 ? -24 : 0;
    const float size = (float)rest * mq_power_of_two_f32(exponent - second) * mq_power_of_two_f32(second);
    return mq_with_sign_f32(size, a);
}

static inline float mq_floor_mod_f32(float a, float b) {
    const float rest = mq_remainder_f32(a, b);
    return rest != 0.0f && (b < 0.0f) != (rest < 0.0f) ? rest + b : rest;
}

/* 0: x is no whole number, 1: it is odd, 2: even. */
static inline int32_t mq_parity_f32(float x) {
    if (mq_floor_f32(x) != x) {
        return 0;
    }
    return mq_abs_f32(x) < 16777216.0f && ((int32_t)x & 1) != 0 ? 1 : 2;
}

/* a^b by repeated squaring. count: up to 64. */
static inline float mq_whole_power_f32(float a, int32_t count) {
    float power = 1.0f;
    for (; count > 0; count >>= 1) {
        if ((count & 1) != 0) {
            power *= a;
        }
        a *= a;
    }
    return power;
}

static inline float mq_pow_f32(float a, float b) {
    const int32_t parity = mq_parity_f32(b);
    if (b == 0.0f || a == 1.0f) {
        return 1.0f;
    }
    if (a != a || b != b) {
        return NAN;
    }
    if (parity != 0 && mq_abs_f32(b) <= 64.0f) {
        const float power = mq_whole_power_f32(a, (int32_t)mq_abs_f32(b));
        return b < 0.0f ? 1.0f / power : power;
    }
    if (a == 0.0f || mq_abs_f32(a) > 3.4028234e38f || mq_abs_f32(b) > 3.4028234e38f) {
        const float size = mq_abs_f32(a);
        const int32_t grows = size == 1.0f ? 1 : (size > 1.0f) == (b > 0.0f);
        const float power = size == 1.0f ? 1.0f : grows ? INFINITY : 0.0f;
        return parity == 1 ? mq_with_sign_f32(power, a) : power;
    }
    if (a < 0.0f && parity == 0) {
        return NAN;
    }
    const float power = mq_exp_f32(b * mq_log_f32(mq_abs_f32(a)));
    return parity == 1 ? mq_with_sign_f32(power, a) : power;
}

#endif
