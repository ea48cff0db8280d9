/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: functions of one float32, in single precision and integers, without the C library. Each is
 * within a few units in the last place, of the largest value that is near: ARITHMETIC section 13 has the
 * numbers.
 */
#ifndef MQ_FLOAT_FUNCTIONS_H
#define MQ_FLOAT_FUNCTIONS_H

#include "mq_float.h"

static inline float mq_abs_f32(float x) {
    return mq_f32_of_bits(mq_bits_of_f32(x) & 0x7FFFFFFFu);
}

/* x with the sign of `sign`. x is not negative. */
static inline float mq_with_sign_f32(float x, float sign) {
    return mq_f32_of_bits(mq_bits_of_f32(x) | (mq_bits_of_f32(sign) & 0x80000000u));
}

/* To the nearest integer, halves to the even one. */
static inline float mq_round_f32(float x) {
    const float size = mq_abs_f32(x);
    if (!(size < 8388608.0f)) {
        return x; /* an integer already, or NaN */
    }
    /* Up to 2^22 the fraction is exact, and from there on it is 0 or a half. */
    const int32_t whole = (int32_t)size;
    const float part = size - (float)whole;
    const int32_t up = part > 0.5f || (part == 0.5f && (whole & 1) != 0);
    return mq_with_sign_f32((float)(whole + up), x);
}

static inline float mq_floor_f32(float x) {
    if (!(mq_abs_f32(x) < 8388608.0f)) {
        return x;
    }
    const float whole = (float)(int32_t)x;
    return mq_with_sign_f32(mq_abs_f32(whole > x ? whole - 1.0f : whole), x);
}

static inline float mq_ceil_f32(float x) {
    return -mq_floor_f32(-x);
}

static inline float mq_sign_f32(float x) {
    return x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : x == 0.0f ? 0.0f : x; /* NaN stays NaN */
}

/* 1 / sqrt(x) */
static inline float mq_rsqrt_f32(float x) {
    if (!(x > 0.0f)) {
        return x < 0.0f ? NAN : x != x ? x : mq_with_sign_f32(INFINITY, x);
    }
    if (x > 3.4028234e38f) {
        return 0.0f;
    }
    const float root = x < 1.17549435e-38f ? 4096.0f : 1.0f; /* subnormal */
    x *= root * root;
    /* x = m 4^n with m in [1, 4), a line that is near 1 / sqrt(m), then Newton's steps. */
    const uint32_t bits = mq_bits_of_f32(x);
    const int32_t exponent = (int32_t)(bits >> 23) - 127;
    const int32_t odd = exponent & 1;
    const float m = mq_f32_of_bits((bits & 0x007FFFFFu) | (uint32_t)(127 + odd) << 23);
    float y = 1.1f - 0.165f * m;
    for (int32_t step = 0; step < 4; step++) {
        y = y * (1.5f - 0.5f * m * y * y);
    }
    return y * root * mq_f32_of_bits((uint32_t)(127 - (exponent - odd) / 2) << 23);
}

static inline float mq_sqrt_f32(float x) {
    if (!(x > 0.0f) || x > 3.4028234e38f) {
        return x < 0.0f ? NAN : x;
    }
    const float y = x * mq_rsqrt_f32(x);
    return 0.5f * (y + x / y);
}

/* The natural logarithm. */
static inline float mq_log_f32(float x) {
    if (!(x > 0.0f)) {
        return x < 0.0f ? NAN : x != x ? x : -INFINITY;
    }
    if (x > 3.4028234e38f) {
        return x;
    }
    const int32_t subnormal = x < 1.17549435e-38f;
    x *= subnormal ? 16777216.0f : 1.0f;
    /* x = m 2^n with m in [sqrt(1/2), sqrt(2)); ln m = 2 artanh(s), s = (m - 1) / (m + 1). */
    const uint32_t shifted = mq_bits_of_f32(x) + (0x3F800000u - 0x3F3504F3u);
    const float n = (float)((int32_t)(shifted >> 23) - (subnormal ? 127 + 24 : 127));
    const float f = mq_f32_of_bits((shifted & 0x007FFFFFu) + 0x3F3504F3u) - 1.0f;
    const float s = f / (2.0f + f);
    const float z = s * s;
    const float p = z * (2.0f / 3.0f + z * (2.0f / 5.0f + z * (2.0f / 7.0f + z * (2.0f / 9.0f))));
    /* 2 s = f - s f; ln 2 in two parts, of which the first times n is exact. */
    return n * 0.693359375f + (n * -2.12194440e-4f + (f - s * (f - p)));
}

/* exp(x) - 1, also near 0. */
static inline float mq_expm1_f32(float x) {
    if (mq_abs_f32(x) > 0.35f) {
        return mq_exp_f32(x) - 1.0f;
    }
    float p = 1.0f / 5040.0f;
    p = p * x + 1.0f / 720.0f;
    p = p * x + 1.0f / 120.0f;
    p = p * x + 1.0f / 24.0f;
    p = p * x + 1.0f / 6.0f;
    p = p * x + 0.5f;
    return x + x * x * p;
}

/* The angle x >= 0 as quadrant * pi/2 + rest, |rest| <= pi/4; returns the rest. */
static inline float mq_quadrant_f32(float x, uint32_t *quadrant) {
    /* 2/pi in words of 32 bits, the first one of weight 2^0, and so 0. */
    static const uint32_t words[7] = {0x00000000u, 0xA2F9836Eu, 0x4E441529u, 0xFC2757D1u,
                                      0xF534DDC0u, 0xDB629599u, 0x3C439041u};
    *quadrant = 0;
    if (x < 0.785f) {
        return x;
    }
    /* x = mantissa 2^exponent. Three words of 2/pi 2^exponent are needed: one of whole quadrants (what is
     * above it is a multiple of 2^32 quadrants), two of their fraction. */
    const uint32_t bits = mq_bits_of_f32(x);
    const uint64_t mantissa = (bits & 0x007FFFFFu) | 0x00800000u;
    const uint32_t place = (bits >> 23) - 150u + 32u; /* 8 or more */
    const uint32_t first = place >> 5, shift = place & 31u;
    uint32_t part[3];
    for (uint32_t i = 0; i < 3; i++) {
        const uint32_t above = first + i >= 1u ? words[first + i - 1u] : 0u;
        part[i] = shift == 0u ? above : above << shift | words[first + i] >> (32u - shift);
    }
    const uint64_t fraction = mantissa * part[1] + (mantissa * part[2] >> 32);
    const uint32_t rest = (uint32_t)fraction;
    const uint32_t up = rest >> 31;
    *quadrant = (uint32_t)mantissa * part[0] + (uint32_t)(fraction >> 32) + up;
    /* rest / 2^32 quadrants, or as much less than one. */
    const float size = (float)(up != 0u ? 0u - rest : rest) * 3.6572952e-10f;
    return up != 0u ? -size : size;
}

/* sin(x + turn pi/2): turn 0 is the sine, 1 the cosine. */
static inline float mq_sine_f32(float x, uint32_t turn) {
    const float size = mq_abs_f32(x);
    if (!(size <= 3.4028234e38f)) {
        return NAN;
    }
    uint32_t quadrant;
    const float r = mq_quadrant_f32(size, &quadrant);
    const float z = r * r;
    const float sine =
        r + r * z * (-1.0f / 6.0f + z * (1.0f / 120.0f + z * (-1.0f / 5040.0f + z * (1.0f / 362880.0f))));
    const float cosine =
        1.0f + z * (-0.5f + z * (1.0f / 24.0f + z * (-1.0f / 720.0f + z * (1.0f / 40320.0f))));
    /* The sine is odd, the cosine even. */
    const uint32_t which = quadrant + turn;
    const float y = (which & 1u) != 0u ? cosine : sine;
    const uint32_t negative = (which >> 1 & 1u) ^ (turn == 0u && x < 0.0f ? 1u : 0u);
    return negative != 0u ? -y : y;
}

/* 1 / (1 + exp(-x)). */
static inline float mq_logistic_f32(float x) {
    const float decay = mq_exp_f32(x < 0.0f ? x : -x);
    return (x < 0.0f ? decay : 1.0f) / (1.0f + decay);
}

static inline float mq_tanh_f32(float x) {
    const float magnitude = x < 0.0f ? -x : x;
    if (magnitude < 0.625f) {
        /* An odd polynomial: (1 - e) / (1 + e) would lose what two nearly equal numbers have in common. */
        const float z = x * x;
        float p = -0.005714678f;
        p = p * z + 0.020648565f;
        p = p * z + -0.05374291f;
        p = p * z + 0.13331485f;
        p = p * z + -0.33333284f;
        return x + x * (z * p);
    }
    const float decay = mq_exp_f32(-2.0f * magnitude);
    const float y = (1.0f - decay) / (1.0f + decay);
    return x < 0.0f ? -y : y;
}

/* x times the normal distribution's integral up to x. */
static inline float mq_gelu_f32(float x) {
    /* erfc(z) = exp(-z^2) t P(t), t = 1 / (1 + z / 2): P is fitted to 5e-8 of it for z up to 10. */
    const float z = mq_abs_f32(x) * 0.707106781f;
    const float t = 1.0f / (1.0f + 0.5f * z);
    float p = -0.059067823f;
    p = p * t + 0.284569929f;
    p = p * t - 0.487190493f;
    p = p * t + 0.278057508f;
    p = p * t - 0.026619734f;
    p = p * t + 0.202684642f;
    p = p * t + 0.24310426f;
    p = p * t + 0.282375248f;
    p = p * t + 0.282086421f;
    const float half = 0.5f * p * t * mq_exp_f32(-z * z);
    return x * (x < 0.0f ? half : 1.0f - half);
}

/* The same with a tanh: Hendrycks and Gimpel's approximation. */
static inline float mq_gelu_tanh_f32(float x) {
    return x * mq_logistic_f32(1.59576912f * (x + 0.044715f * x * x * x));
}

#endif
