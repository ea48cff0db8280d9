/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: dot products of int8 with a zero_point on either side, and of int16 with int8, four factors at
 * once (Cortex-M4, M7, M33).
 */
#ifndef MQ_DSP_DOTS_H
#define MQ_DSP_DOTS_H

#include "mq_dsp.h"

/* What is added to every factor of either side: its zero_point, negated, as a pair. */
typedef struct {
    uint32_t a;
    uint32_t b;
} mq_dsp_minus_t;

static inline mq_dsp_minus_t mq_dsp_minus(int32_t a_zero_point, int32_t b_zero_point) {
    const mq_dsp_minus_t minus = {mq_pair(-a_zero_point, -a_zero_point),
                                  mq_pair(-b_zero_point, -b_zero_point)};
    return minus;
}

/* acc + four products. even, odd: the factors 0 and 2, 1 and 3 of the one side; bytes: those of the other. */
static inline int32_t
mq_dsp_four_products(int32_t acc, uint32_t even, uint32_t odd, uint32_t minus, uint32_t bytes) {
    acc = mq_smlad(even, mq_sxtab16(minus, bytes), acc);
    return mq_smlad(odd, mq_sxtab16_ror8(minus, bytes), acc);
}

/* acc[i] += sum over k < count of (a[k] - zero_point) * (b[i * stride + k] - zero_point), for i < outputs.
 * outputs: MQ_DOT_OUTPUTS or 1.
 */
static inline void mq_dsp_dots(int32_t *acc,
                               int32_t outputs,
                               const int8_t *a,
                               const int8_t *b,
                               int32_t stride,
                               int32_t count,
                               mq_dsp_minus_t minus) {
    int32_t acc0 = acc[0];
    const int8_t *end = a + (count & ~3);
    if (outputs == 1) {
        for (; a < end; a += 4, b += 4) {
            const uint32_t bytes = mq_load_word(a);
            acc0 = mq_dsp_four_products(acc0, mq_sxtab16(minus.a, bytes), mq_sxtab16_ror8(minus.a, bytes),
                                        minus.b, mq_load_word(b));
        }
        for (int32_t k = 0; k < (count & 3); k++) {
            acc0 = mq_mac(acc0, a[k] + mq_bottom(minus.a), b[k] + mq_bottom(minus.b));
        }
        acc[0] = acc0;
        return;
    }
    int32_t acc1 = acc[1];
    int32_t acc2 = acc[2];
    int32_t acc3 = acc[3];
    for (; a < end; a += 4, b += 4) {
        const uint32_t bytes = mq_load_word(a);
        const uint32_t even = mq_sxtab16(minus.a, bytes);
        const uint32_t odd = mq_sxtab16_ror8(minus.a, bytes);
        acc0 = mq_dsp_four_products(acc0, even, odd, minus.b, mq_load_word(b));
        acc1 = mq_dsp_four_products(acc1, even, odd, minus.b, mq_load_word(b + stride));
        acc2 = mq_dsp_four_products(acc2, even, odd, minus.b, mq_load_word(b + 2 * stride));
        acc3 = mq_dsp_four_products(acc3, even, odd, minus.b, mq_load_word(b + 3 * stride));
    }
    for (int32_t k = 0; k < (count & 3); k++) {
        const int32_t value = a[k] + mq_bottom(minus.a);
        acc0 = mq_mac(acc0, value, b[k] + mq_bottom(minus.b));
        acc1 = mq_mac(acc1, value, b[k + stride] + mq_bottom(minus.b));
        acc2 = mq_mac(acc2, value, b[k + 2 * stride] + mq_bottom(minus.b));
        acc3 = mq_mac(acc3, value, b[k + 3 * stride] + mq_bottom(minus.b));
    }
    acc[0] = acc0;
    acc[1] = acc1;
    acc[2] = acc2;
    acc[3] = acc3;
}

/* acc[i] += sum over k < count of x[k] * w[i * stride + k], for i < MQ_DOT_OUTPUTS, modulo 2^32. */
static inline void
mq_dsp_dots_s16(int32_t *acc, const int16_t *x, const int8_t *w, int32_t stride, int32_t count) {
    const int8_t *end = w + (count & ~3);
    int32_t acc0 = acc[0];
    int32_t acc1 = acc[1];
    int32_t acc2 = acc[2];
    int32_t acc3 = acc[3];
    for (; w < end; w += 4, x += 4) {
        const uint32_t first = mq_load_word(x);
        const uint32_t second = mq_load_word(x + 2);
        const uint32_t even = mq_pkhbt(first, second);
        const uint32_t odd = mq_pkhtb(second, first);
        acc0 = mq_dsp_four_products(acc0, even, odd, 0, mq_load_word(w));
        acc1 = mq_dsp_four_products(acc1, even, odd, 0, mq_load_word(w + stride));
        acc2 = mq_dsp_four_products(acc2, even, odd, 0, mq_load_word(w + 2 * stride));
        acc3 = mq_dsp_four_products(acc3, even, odd, 0, mq_load_word(w + 3 * stride));
    }
    for (int32_t k = 0; k < (count & 3); k++) {
        acc0 = mq_mac(acc0, x[k], w[k]);
        acc1 = mq_mac(acc1, x[k], w[k + stride]);
        acc2 = mq_mac(acc2, x[k], w[k + 2 * stride]);
        acc3 = mq_mac(acc3, x[k], w[k + 3 * stride]);
    }
    acc[0] = acc0;
    acc[1] = acc1;
    acc[2] = acc2;
    acc[3] = acc3;
}

#endif
