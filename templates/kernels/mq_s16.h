/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: what kernels for int16 activations share. Their zero_points are 0; weights are int8.
 */
#ifndef MQ_S16_H
#define MQ_S16_H

#include "mq_common.h"

/* So many products of int16 and int8, each of at most 2^22, fit an int32 sum whatever they are. */
#define MQ_S16_PRODUCTS 511

/* Scale an int64 accumulator, |acc| < 2^47, by multiplier / 2^15 * 2^shift: one rounding, halves up.
 * multiplier: 0 or 2^14 to 2^15 - 1. shift: -31 to 7. ARITHMETIC section 12.
 */
static inline int32_t mq_requantize_int64(int64_t acc, int32_t multiplier, int32_t shift) {
    const int32_t right = 15 - shift;
    return (int32_t)((acc * multiplier + ((int64_t)1 << (right - 1))) >> right);
}

/* The output of an accumulator. is_int64: 1: an int64, rounded once; 0: an int32 that wraps, rounded twice.
 */
static inline int16_t
mq_s16_output(int64_t acc, int32_t multiplier, int32_t shift, int32_t is_int64, int32_t low, int32_t high) {
    const int32_t y = is_int64 ? mq_requantize_int64(acc, multiplier, shift)
                               : mq_requantize((int32_t)(uint32_t)(uint64_t)acc, multiplier, shift);
    return (int16_t)mq_clamp(y, low, high);
}

/* Bias `i`: one word each, or two (the lower one first) where they are int64. */
static inline int64_t mq_s16_bias(const int32_t *bias, int32_t words, int32_t i) {
    if (words == 1) {
        return bias[i];
    }
    return (int64_t)((uint64_t)(uint32_t)bias[2 * i + 1] << 32 | (uint32_t)bias[2 * i]);
}

/* acc[i] += sum over k < count of x[k] * w[i * stride + k], for i < outputs, modulo 2^32.
 * outputs: MQ_DOT_OUTPUTS or 1.
 */
static inline void
mq_s16_dot(int32_t *acc, int32_t outputs, const int16_t *x, const int8_t *w, int32_t stride, int32_t count) {
    int32_t acc0 = acc[0];
    if (outputs == 1) {
        for (int32_t k = 0; k < count; k++) {
            acc0 = mq_mac(acc0, x[k], w[k]);
        }
    } else {
        const int8_t *w1 = w + stride;
        const int8_t *w2 = w1 + stride;
        const int8_t *w3 = w2 + stride;
        int32_t acc1 = acc[1];
        int32_t acc2 = acc[2];
        int32_t acc3 = acc[3];
        for (int32_t k = 0; k < count; k++) {
            const int32_t value = x[k];
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

/* The sums of up to MQ_DOT_OUTPUTS outputs. In `low` modulo 2^32, which is all where they are proven to fit
 * int32 in the end (narrow) or are meant to wrap; else `low` goes over into `sum` before it can overflow.
 */
typedef struct {
    int64_t sum[MQ_DOT_OUTPUTS];
    int32_t low[MQ_DOT_OUTPUTS];
} mq_s16_sums_t;

static inline void
mq_s16_start(mq_s16_sums_t *sums, int32_t outputs, const int32_t *bias, int32_t words, int32_t first) {
    for (int32_t i = 0; i < outputs; i++) {
        sums->sum[i] = mq_s16_bias(bias, words, first + i);
        sums->low[i] = 0;
    }
}

static inline void mq_s16_collect(mq_s16_sums_t *sums, int32_t outputs) {
    for (int32_t i = 0; i < outputs; i++) {
        sums->sum[i] += sums->low[i];
        sums->low[i] = 0;
    }
}

/* Add the dot products of x with `outputs` rows of weights, `stride` apart. */
static inline void mq_s16_add_dots(mq_s16_sums_t *sums,
                                   int32_t outputs,
                                   const int16_t *x,
                                   const int8_t *w,
                                   int32_t stride,
                                   int32_t count,
                                   int32_t narrow) {
    if (narrow) {
        mq_s16_dot(sums->low, outputs, x, w, stride, count);
        return;
    }
    for (int32_t k = 0; k < count; k += MQ_S16_PRODUCTS) {
        mq_s16_dot(sums->low, outputs, x + k, w + k, stride, mq_min(count - k, MQ_S16_PRODUCTS));
        mq_s16_collect(sums, outputs);
    }
}

#endif
