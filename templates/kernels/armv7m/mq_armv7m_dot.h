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
    int32_t pairs_cross_runs; /* all inputs go in pairs; 0: those of a run, and an odd one alone */
    mq_armv7m_rounding_t rounding;
} mq_armv7m_dot_t;

/* Write output_channels outputs for each window, one behind the other. */
typedef void
mq_armv7m_dot_function_t(const int8_t *x, const int32_t *table, int8_t *output, const mq_armv7m_dot_t *dot);

#define MQ_ARMV7M_DOT_BLOCK 4

/* Sums of `count` inputs, one or two: sums[2 i] has both channels of a word, sums[2 i + 1] the higher. */
static inline void mq_armv7m_dot_step(const int32_t *table, const int32_t *x, int32_t count, uint32_t *sums) {
    for (int32_t pair = 0; pair < 2; pair++) {
        uint32_t products = 0x8000u;
        for (int32_t i = 0; i < count; i++) {
            products += (uint32_t)table[pair * count + i] * (uint32_t)x[i];
        }
        sums[2 * pair] += products;
        sums[2 * pair + 1] += (uint32_t)((int32_t)products >> 16);
    }
}

/* The sums of one window for four channels; returns the table behind the words used. */
static inline const int32_t *
mq_armv7m_dot_window(const int8_t *x, const int32_t *table, const mq_armv7m_dot_t *dot, uint32_t *sums) {
    int32_t waiting[2];
    int32_t count = 0;
    for (int32_t run = 0; run < dot->runs; run++) {
        for (int32_t k = 0; k < dot->run_length; k++) {
            const int32_t is_end =
                k + 1 == dot->run_length && (!dot->pairs_cross_runs || run + 1 == dot->runs);
            waiting[count++] = *x++;
            if (count == 2 || is_end) {
                mq_armv7m_dot_step(table, waiting, count, sums);
                table += 2 * count;
                count = 0;
            }
        }
        if (run + 1 < dot->runs) {
            x += dot->run_step;
        }
    }
    return table;
}

MQ_KERNEL void
mq_armv7m_dot_twin(const int8_t *x, const int32_t *table, int8_t *output, const mq_armv7m_dot_t *dot) {
    for (int32_t pixel = 0; pixel < dot->pixels; pixel++) {
        const int32_t *words = table;
        const int8_t *window = x + pixel * dot->pixel_step;
        for (int32_t channel = 0; channel < dot->output_channels; channel += MQ_ARMV7M_DOT_BLOCK) {
            uint32_t sums[MQ_ARMV7M_DOT_BLOCK] = {0u, 0u, 0u, 0u};
            const int32_t outputs = mq_min(MQ_ARMV7M_DOT_BLOCK, dot->output_channels - channel);
            words = mq_armv7m_dot_window(window, words, dot, sums);
            sums[0] -= sums[1] << 16;
            sums[2] -= sums[3] << 16;
            for (int32_t i = 0; i < outputs; i++) {
                *output++ = mq_armv7m_requantize(&dot->rounding, (int32_t)sums[i], words);
                words += MQ_ARMV7M_REQUANTIZE_WORDS;
            }
        }
    }
}

#endif
