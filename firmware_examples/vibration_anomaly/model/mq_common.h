/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: what all kernels share. Integer arithmetic is the reference's, bit for bit
 * (docs/ARITHMETIC.md); sums wrap in uint32_t so that no signed overflow happens.
 */
#ifndef MQ_COMMON_H
#define MQ_COMMON_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Generated code checks that it meets the kernels it was generated for. */
#define MQ_KERNELS_VERSION 1

/* How kernels are compiled: the generated model may define it first (inlining by --optimize). */
#ifndef MQ_KERNEL
#define MQ_KERNEL static inline
#endif
/* How C that stands in for assembly is: called through pointers, so never forced into its callers. */
#define MQ_TWIN static inline

/* What has a literal for `storage`, or for an operation, and so must be compiled for it. */
#if defined(__GNUC__)
#define MQ_SPECIALISED static inline __attribute__((always_inline))
#else
#define MQ_SPECIALISED static inline
#endif

#define MQ_CONCAT_(a, b) a##b
#define MQ_CONCAT(a, b) MQ_CONCAT_(a, b)
/* A static assertion that is pedantic-clean in C99 and in C++. */
#define MQ_STATIC_ASSERT(condition, name) \
    typedef char MQ_CONCAT(mq_assert_##name##_, __LINE__)[(condition) ? 1 : -1]

#if defined(__BYTE_ORDER__) && defined(__ORDER_BIG_ENDIAN__)
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#error "mcu_quant: packed weights are little-endian"
#endif
#endif
#if (-1 >> 1) != -1
#error "mcu_quant: right shifts of negative numbers must be arithmetic"
#endif

/* acc + a * b, wrapping. */
static inline int32_t mq_mac(int32_t acc, int32_t a, int32_t b) {
    return (int32_t)((uint32_t)acc + (uint32_t)(a * b));
}

static inline int32_t mq_min(int32_t a, int32_t b) {
    return a < b ? a : b;
}

static inline int32_t mq_max(int32_t a, int32_t b) {
    return a > b ? a : b;
}

static inline int32_t mq_clamp(int32_t x, int32_t low, int32_t high) {
    return mq_min(mq_max(x, low), high);
}

/* (a * b + 2^30) >> 31. Not for a = b = INT32_MIN. */
static inline int32_t mq_high_mul(int32_t a, int32_t b) {
    return (int32_t)(((int64_t)a * b + ((int64_t)1 << 30)) >> 31);
}

/* x / 2^exponent, halves away from zero. exponent: 0..31. */
static inline int32_t mq_rounding_divide_by_power_of_two(int32_t x, int32_t exponent) {
    const int32_t mask = (int32_t)(((uint32_t)1 << exponent) - 1u);
    const int32_t threshold = (mask >> 1) + (x < 0 ? 1 : 0);
    return (x >> exponent) + ((x & mask) > threshold ? 1 : 0);
}

/* Scale an accumulator by multiplier / 2^31 * 2^shift, double rounding. ARITHMETIC section 2. */
static inline int32_t mq_requantize(int32_t acc, int32_t multiplier, int32_t shift) {
    const int32_t left = mq_max(shift, 0);
    const int32_t right = mq_max(-shift, 0);
    const int32_t shifted = (int32_t)((uint32_t)acc << left);
    return mq_rounding_divide_by_power_of_two(mq_high_mul(shifted, multiplier), right);
}

/* The int8 output of an accumulator: scaled, moved to the output's zero_point, clamped. */
static inline int8_t mq_requantize_to_int8(
    int32_t acc, int32_t multiplier, int32_t shift, int32_t zero_point, int32_t low, int32_t high) {
    return (int8_t)mq_clamp(mq_requantize(acc, multiplier, shift) + zero_point, low, high);
}

/* How many dot products mq_dot computes at once: each input is loaded once for all of them. */
#define MQ_DOT_OUTPUTS 4

/* acc[i] += sum over k < count of (x[k] - zero_point) * w[i * stride + k], for i < outputs.
 * outputs: MQ_DOT_OUTPUTS or 1.
 */
static inline void mq_dot(int32_t *acc,
                          int32_t outputs,
                          const int8_t *x,
                          int32_t zero_point,
                          const int8_t *w,
                          int32_t stride,
                          int32_t count) {
    int32_t acc0 = acc[0];
    if (outputs == 1) {
        for (int32_t k = 0; k < count; k++) {
            acc0 = mq_mac(acc0, x[k] - zero_point, w[k]);
        }
    } else {
        const int8_t *w1 = w + stride;
        const int8_t *w2 = w1 + stride;
        const int8_t *w3 = w2 + stride;
        int32_t acc1 = acc[1];
        int32_t acc2 = acc[2];
        int32_t acc3 = acc[3];
        for (int32_t k = 0; k < count; k++) {
            const int32_t value = x[k] - zero_point;
            acc0 = mq_mac(acc0, value, w[k]);
            acc1 = mq_mac(acc1, value, w1[k]);
            acc2 = mq_mac(acc2, value, w2[k]);
            acc3 = mq_mac(acc3, value, w3[k]);
        }
        acc[1] = acc1;
        acc[2] = acc2;
        acc[3] = acc3;
    }
    acc[0] = acc0;
}

/* A window at `origin` (below `size`) has its taps at origin + tap * dilation. Those from
 * mq_first_tap to before mq_end_tap are inside an axis of `size`; the others are padding.
 */
static inline int32_t mq_first_tap(int32_t origin, int32_t dilation) {
    return origin < 0 ? (dilation - 1 - origin) / dilation : 0;
}

static inline int32_t mq_end_tap(int32_t origin, int32_t dilation, int32_t taps, int32_t size) {
    return mq_min(taps, (size - 1 - origin) / dilation + 1);
}

#endif
