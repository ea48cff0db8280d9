/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: depthwise windows on Cortex-M3, two pixels of a channel in a word of the strip.
 * mcu_quant/kernels/armv7m/strips.py says how; the functions in assembly are made for one shape.
 */
#ifndef MQ_ARMV7M_STRIPS_H
#define MQ_ARMV7M_STRIPS_H

#include "mq_armv7m_requantize.h"

/* Functions in assembly know all but the first seven fields already. */
typedef struct {
    int32_t lower_bytes; /* from an output in the upper half to that in the lower half */
    int32_t row_bytes;   /* of the output */
    int32_t columns;     /* of the output */
    int32_t strip_jump;  /* bytes from the end of a column's windows to the next column's */
    int32_t output_jump;
    int32_t half_bytes; /* from the first window of a column to behind the last */
    int32_t pixels;     /* input columns to pack */
    int32_t pixel_step;
    int32_t input_row_bytes;
    int32_t input_rows;
    int32_t padding_h;
    int32_t lower_rows; /* input rows from an upper pixel to its lower one */
    int32_t lines;      /* words of a column of the strip */
    int32_t stride_h;
    int32_t filter_h;
    int32_t filter_w;
    int32_t tap_step; /* words from a tap to the one below */
    int32_t tap_jump; /* words from a tap to the one to the right */
    int32_t zero_point;
    mq_armv7m_rounding_t rounding;
} mq_armv7m_strip_t;

/* Put one channel of the input into the strip. input: its first pixel; words: its first column. */
typedef void mq_armv7m_pack_function_t(const int8_t *input, int32_t *words, const mq_armv7m_strip_t *strip);

/* One channel's outputs. table: its weights and the words of its requantization. */
typedef void mq_armv7m_window_function_t(const int32_t *words,
                                         const int32_t *table,
                                         int8_t *output,
                                         const mq_armv7m_strip_t *strip);

/* A pixel of the column that begins at input, or the zero_point above and below it. */
static inline int32_t mq_armv7m_pack_pixel(const int8_t *input, int32_t row, const mq_armv7m_strip_t *strip) {
    return row >= 0 && row < strip->input_rows ? input[row * strip->input_row_bytes] : strip->zero_point;
}

MQ_TWIN void mq_armv7m_pack_twin(const int8_t *input, int32_t *words, const mq_armv7m_strip_t *strip) {
    for (int32_t pixel = 0; pixel < strip->pixels; pixel++) {
        for (int32_t line = 0; line < strip->lines; line++) {
            const int32_t row = line - strip->padding_h;
            const int32_t upper = mq_armv7m_pack_pixel(input, row, strip);
            const int32_t lower = mq_armv7m_pack_pixel(input, row + strip->lower_rows, strip);
            *words++ = (int32_t)((uint32_t)upper + ((uint32_t)lower << 16));
        }
        input += strip->pixel_step;
    }
}

/* Both outputs of the window that begins at words. Two taps at a time always fit; more, where a
 * function in assembly takes more, give the same sums.
 */
static inline void
mq_armv7m_window(const int32_t *words, const int32_t *table, int8_t *output, const mq_armv7m_strip_t *strip) {
    const int32_t taps = strip->filter_h * strip->filter_w;
    uint32_t both = 0u;
    uint32_t lower = 0u;
    uint32_t products = 0x8000u;
    for (int32_t tap = 0; tap < taps; tap++) {
        const int32_t place =
            tap / strip->filter_h * strip->tap_jump + tap % strip->filter_h * strip->tap_step;
        products += (uint32_t)table[tap] * (uint32_t)words[place];
        if (tap % 2 == 1 || tap + 1 == taps) {
            both += products - 0x8000u;
            lower += (uint32_t)((int32_t)products >> 16);
            products = 0x8000u;
        }
    }
    const int32_t upper = (int32_t)(both - (lower << 16));
    output[0] = mq_armv7m_requantize(&strip->rounding, upper, table + taps);
    output[strip->lower_bytes] = mq_armv7m_requantize(&strip->rounding, (int32_t)lower, table + taps);
}

MQ_TWIN void mq_armv7m_window_twin(const int32_t *words,
                                   const int32_t *table,
                                   int8_t *output,
                                   const mq_armv7m_strip_t *strip) {
    const int32_t half = strip->half_bytes / 4 / strip->stride_h;
    for (int32_t column = 0; column < strip->columns; column++) {
        for (int32_t row = 0; row < half; row++) {
            mq_armv7m_window(words, table, output, strip);
            words += strip->stride_h;
            output += strip->row_bytes;
        }
        if (column + 1 < strip->columns) {
            words += strip->strip_jump / 4;
            output += strip->output_jump;
        }
    }
}

#endif
