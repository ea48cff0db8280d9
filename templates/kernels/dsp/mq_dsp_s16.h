/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: sums of int16 activations with int8 weights, for the DSP extension.
 */
#ifndef MQ_DSP_S16_H
#define MQ_DSP_S16_H

#include "mq_dsp.h"
#include "mq_s16.h"

/* Adds eight sums' products: kernels/dsp/assembly_s16.py. turns: of two pairs of activations. */
typedef void mq_s16_sums_function_t(const int16_t *x, const int32_t *block, int32_t turns, int32_t *sums);

/* Two channels of a word of weights with one pair of activations. */
static inline void mq_s16_word(uint32_t pair, uint32_t weights, int32_t *first, int32_t *second) {
    *first = mq_smlad(pair, mq_sxtb16(weights), *first);
    *second = mq_smlad(pair, mq_sxtb16_ror8(weights), *second);
}

/* Four channels of two pixels, whose pairs follow each other: sums [channel][pixel]. */
MQ_TWIN void mq_s16_two_pixels_twin(const int16_t *x, const int32_t *block, int32_t turns, int32_t *sums) {
    for (int32_t pair = 0; pair < 2 * turns; pair++) {
        for (int32_t word = 0; word < 2; word++) {
            for (int32_t pixel = 0; pixel < 2; pixel++) {
                int32_t *sum = sums + 4 * word + pixel;
                mq_s16_word(mq_load_word(x + 2 * pixel), (uint32_t)block[word], sum, sum + 2);
            }
        }
        x += 4;
        block += 2;
    }
}

/* Eight channels of one pixel. */
MQ_TWIN void mq_s16_one_pixel_twin(const int16_t *x, const int32_t *block, int32_t turns, int32_t *sums) {
    for (int32_t pair = 0; pair < 2 * turns; pair++) {
        for (int32_t word = 0; word < 4; word++) {
            mq_s16_word(mq_load_word(x), (uint32_t)block[word], sums + 2 * word, sums + 2 * word + 1);
        }
        x += 2;
        block += 4;
    }
}

/* a * b / 2^32, halves up. */
static inline int32_t mq_s16_high_product(int32_t a, int32_t b) {
    return mq_smmlar(a, b, 0);
}

/* How sums become outputs. Of each channel: bias [bias_words], multiplier, and shift, which is not read where
 * is_short.
 */
typedef struct {
    const int32_t *bias;
    const int32_t *multiplier;
    const int8_t *shift;
    int32_t is_short;   /* 1: the sum began as the bias, and the output is one product's upper word */
    int32_t is_int64;   /* else: the accumulator, see mq_s16_output */
    int32_t bias_words; /* 1 or 2 */
    int32_t low;
    int32_t high;
} mq_s16_dsp_rounding_t;

/* The output of channel `i` from its sum. */
static inline int16_t mq_s16_dsp_output(const mq_s16_dsp_rounding_t *how, int32_t sum, int32_t i) {
    if (how->is_short) {
        return (int16_t)mq_clamp(mq_s16_high_product(sum, how->multiplier[i]), how->low, how->high);
    }
    return mq_s16_output(sum + mq_s16_bias(how->bias, how->bias_words, i), how->multiplier[i], how->shift[i],
                         how->is_int64, how->low, how->high);
}

#endif
