/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: sums over pixels, four channels at once (Cortex-M4, M7, M33).
 */
#ifndef MQ_PIXEL_SUMS_H
#define MQ_PIXEL_SUMS_H

#include "mq_dsp.h"

/* Bytes that fit an int16 sum: 255 * 128 < 2^15. A multiple of 4. */
#define MQ_PIXELS_AT_ONCE 252

/* sums[i] += in[i], in[step + i], ..., for `count` pixels and i < 4. */
MQ_KERNEL void mq_add_pixels(int32_t *sums, const int8_t *in, int32_t step, int32_t count) {
    while (count > 0) {
        int32_t left = mq_min(count, MQ_PIXELS_AT_ONCE);
        uint32_t even = 0; /* channels 0 and 2 */
        uint32_t odd = 0;
        count -= left;
        for (; left >= 4; left -= 4) {
            const uint32_t a = mq_load_word(in);
            const uint32_t b = mq_load_word(in + step);
            const uint32_t c = mq_load_word(in + 2 * step);
            const uint32_t d = mq_load_word(in + 3 * step);
            even = mq_sxtab16(mq_sxtab16(mq_sxtab16(mq_sxtab16(even, a), b), c), d);
            odd = mq_sxtab16_ror8(mq_sxtab16_ror8(mq_sxtab16_ror8(mq_sxtab16_ror8(odd, a), b), c), d);
            in += 4 * step;
        }
        for (; left > 0; left--) {
            const uint32_t a = mq_load_word(in);
            even = mq_sxtab16(even, a);
            odd = mq_sxtab16_ror8(odd, a);
            in += step;
        }
        sums[0] += mq_bottom(even);
        sums[1] += mq_bottom(odd);
        sums[2] += mq_top(even);
        sums[3] += mq_top(odd);
    }
}

/* The same for one channel. */
MQ_KERNEL int32_t mq_sum_pixels_1(int32_t sum, const int8_t *in, int32_t step, int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        sum += *in;
        in += step;
    }
    return sum;
}

#endif
