/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: four dot products at once on Cortex-M3, two output channels in a word.
 * mcu_quant/kernels/armv7m/dot.py says how; the function in assembly is made for one shape.
 */
#ifndef MQ_ARMV7M_DOT_H
#define MQ_ARMV7M_DOT_H

#include "mq_armv7m_requantize.h"

/* Windows and table. Functions in assembly know the fields from `runs` on already. */
typedef struct {
    int32_t pixels;      /* windows, at least one */
    int32_t pixel_step;  /* bytes from a window to the next */
    int32_t run_step;    /* bytes from a run's end to the next run */
    int32_t table_bytes; /* of the whole table */
    int32_t runs;
    int32_t run_length; /* bytes */
    int32_t output_channels;
    int32_t low_start; /* what the sum of each word's lower channel begins with; 0: weights are bytes */
    mq_armv7m_rounding_t rounding;
} mq_armv7m_dot_t;

/* Write output_channels outputs for each window, one behind the other. */
typedef void
mq_armv7m_dot_function_t(const int8_t *x, const int32_t *table, int8_t *output, const mq_armv7m_dot_t *dot);

#define MQ_ARMV7M_DOT_BLOCK 4

/* The sums of one window for four channels: sums[2 i] of both channels of a word, sums[2 i + 1] of the
 * higher. The function in assembly adds some products before it takes them apart; the sums are the same.
 */
static inline void
mq_armv7m_dot_window(const int8_t *x, const int32_t *table, const mq_armv7m_dot_t *dot, uint32_t *sums) {
    for (int32_t run = 0; run < dot->runs; run++) {
        for (int32_t k = 0; k < dot->run_length; k++) {
            for (int32_t pair = 0; pair < 2; pair++) {
                const uint32_t products = (uint32_t)*table++ * (uint32_t)(int32_t)*x;
                sums[2 * pair] += products;
                sums[2 * pair + 1] += (uint32_t)((int32_t)(products + 0x8000u) >> 16);
            }
            x++;
        }
        if (run + 1 < dot->runs) {
            x += dot->run_step;
        }
    }
}

/* The same where weights are bytes: the words of an input have those of four channels. */
static inline void mq_armv7m_dot_window_of_bytes(const int8_t *x,
                                                 const int32_t *table,
                                                 const mq_armv7m_dot_t *dot,
                                                 uint32_t *sums) {
    for (int32_t run = 0; run < dot->runs; run++) {
        for (int32_t k = 0; k < dot->run_length; k++) {
            const uint32_t word = (uint32_t)*table++;
            for (uint32_t i = 0; i < MQ_ARMV7M_DOT_BLOCK; i++) {
                const int32_t weight = (int8_t)(uint8_t)(word >> (8u * i) & 0xffu);
                sums[i] += (uint32_t)(weight * *x);
            }
            x++;
        }
        if (run + 1 < dot->runs) {
            x += dot->run_step;
        }
    }
}

MQ_TWIN void
mq_armv7m_dot_twin(const int8_t *x, const int32_t *table, int8_t *output, const mq_armv7m_dot_t *dot) {
    const int32_t inputs = dot->runs * dot->run_length;
    for (int32_t pixel = 0; pixel < dot->pixels; pixel++) {
        const int32_t *words = table;
        const int8_t *window = x + pixel * dot->pixel_step;
        for (int32_t channel = 0; channel < dot->output_channels; channel += MQ_ARMV7M_DOT_BLOCK) {
            uint32_t sums[MQ_ARMV7M_DOT_BLOCK] = {(uint32_t)dot->low_start, 0u, (uint32_t)dot->low_start, 0u};
            const int32_t outputs = mq_min(MQ_ARMV7M_DOT_BLOCK, dot->output_channels - channel);
            if (dot->low_start == 0) {
                mq_armv7m_dot_window_of_bytes(window, words, dot, sums);
                words += inputs;
            } else {
                mq_armv7m_dot_window(window, words, dot, sums);
                words += 2 * inputs;
                sums[0] -= sums[1] << 16;
                sums[2] -= sums[3] << 16;
            }
            for (int32_t i = 0; i < outputs; i++) {
                *output++ = mq_armv7m_requantize(&dot->rounding, (int32_t)sums[i], words);
                words += MQ_ARMV7M_REQUANTIZE_WORDS;
            }
        }
    }
}

#endif
