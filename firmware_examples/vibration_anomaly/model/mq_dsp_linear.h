/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: what convolutions and fully connected layers share, for the DSP extension.
 * kernels/dsp/linear.py has the layout of weights and constants.
 */
#ifndef MQ_DSP_LINEAR_H
#define MQ_DSP_LINEAR_H

#include "mq_dsp.h"

/* int8 as int16: `words` words of input to each of `columns` columns, column_bytes apart; each word's bytes
 * go in order 0, 2, 1, 3. Neither count is 0.
 */
typedef void mq_dsp_expand_function_t(
    int16_t *to, const int8_t *from, int32_t words, int32_t columns, int32_t column_bytes);

MQ_TWIN void
mq_dsp_expand_twin(int16_t *to, const int8_t *from, int32_t words, int32_t columns, int32_t column_bytes) {
    for (int32_t column = 0; column < columns; column++) {
        for (int32_t i = 0; i < words; i++) {
            const uint32_t bytes = mq_load_word(from);
            mq_store_word(to + 4 * i, mq_sxtb16(bytes));
            mq_store_word(to + 4 * i + 2, mq_sxtb16_ror8(bytes));
            from += 4;
        }
        to += column_bytes / 2;
    }
}

/* The same where words and columns do not fit each other: bytes stay in order. */
static inline void mq_dsp_expand_bytes(int16_t *to, const int8_t *from, int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        to[i] = from[i];
    }
}

static inline void mq_dsp_fill(int16_t *to, int32_t value, int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        to[i] = (int16_t)value;
    }
}

/* Add the products of a pair of inputs with a block's two words of weights. acc: even channels' sums,
 * and of odd channels 256 times theirs plus the even ones'.
 */
static inline void mq_dsp_products(int32_t acc[4], uint32_t x, int32_t weights01, int32_t weights23) {
    const uint32_t first = (uint32_t)weights01;
    const uint32_t second = (uint32_t)weights23;
    acc[0] = mq_smlad(x, mq_sxtb16(first), acc[0]);
    acc[1] = mq_smlad(x, first, acc[1]);
    acc[2] = mq_smlad(x, mq_sxtb16(second), acc[2]);
    acc[3] = mq_smlad(x, second, acc[3]);
}

/* The four outputs of a block from its sums; returns where the next block is. constants: multiplier,
 * addend and, with has_steps, step of each channel. kernels/dsp/requantization.py.
 */
static inline const int32_t *mq_dsp_requantize(const int32_t acc[4],
                                               const int32_t *constants,
                                               int32_t shift,
                                               int32_t has_steps,
                                               int32_t low,
                                               int32_t high,
                                               int8_t *output) {
    for (int32_t i = 0; i < 4; i++) {
        const uint32_t even = (uint32_t)acc[i & ~1];
        const int32_t scaled = (int32_t)((i & 1) != 0 ? (uint32_t)acc[i] - even : even << 8);
        int32_t y = mq_smmla(scaled, constants[0], constants[1]);
        if (has_steps) {
            y -= scaled < 0 ? constants[2] : 0;
        }
        output[i] = (int8_t)mq_clamp(mq_ssat8(y >> shift), low, high);
        constants += has_steps ? 3 : 2;
    }
    return constants;
}

/* Pixels of `outputs` channels from pixels of whole blocks. */
static inline void mq_dsp_unstage(int8_t *output, const int8_t *staged, int32_t outputs, int32_t pixels) {
    const int32_t padded = (outputs + 3) / 4 * 4;
    for (int32_t pixel = 0; pixel < pixels; pixel++) {
        for (int32_t i = 0; i < outputs; i++) {
            output[i] = staged[i];
        }
        output += outputs;
        staged += padded;
    }
}

#endif
