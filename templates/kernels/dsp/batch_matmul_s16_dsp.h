/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: products of int16 matrices, two factors at once, sums in 64 bits (Cortex-M4, M7, M33). Both
 * operands lie in rows of factors.
 */
#ifndef MQ_BATCH_MATMUL_S16_DSP_H
#define MQ_BATCH_MATMUL_S16_DSP_H

#include "mq_dsp.h"
#include "mq_s16.h"
#include "mq_walk.h"

typedef struct {
    int32_t batches;    /* products of matrices */
    int32_t sizes[4];   /* outer axes of the output, see mq_next_row */
    int32_t a_steps[4]; /* from one matrix to the next */
    int32_t b_steps[4];
    int32_t rows; /* of a and of the output */
    int32_t depth;
    int32_t columns; /* of b and of the output */
    int32_t a_row;   /* from one row of a to the next */
    int32_t a_depth; /* from one factor of a sum to the next, in a */
    int32_t b_depth; /* and in b */
    int32_t b_column;
    int32_t multiplier; /* of 15 bits, see mq_requantize_int64 */
    int32_t shift;
} mq_batch_matmul_s16_dsp_params_t;

/* One sum. */
static inline int64_t mq_batch_matmul_s16_dsp_dot(const int16_t *a, const int16_t *b, int32_t depth) {
    int64_t acc = 0;
    for (int32_t k = 0; k + 2 <= depth; k += 2) {
        acc = mq_smlald(mq_load_word(a + k), mq_load_word(b + k), acc);
    }
    return (depth & 1) != 0 ? acc + a[depth - 1] * b[depth - 1] : acc;
}

/* Two sums, of a row of a and two rows of b. */
static inline void
mq_batch_matmul_s16_dsp_two(const int16_t *a, const int16_t *b, int32_t depth, int64_t *acc) {
    const int16_t *other = b + depth;
    const int16_t *end = a + (depth & ~1);
    int64_t acc0 = 0;
    int64_t acc1 = 0;
    for (; a < end; a += 2, b += 2, other += 2) {
        const uint32_t pair = mq_load_word(a);
        acc0 = mq_smlald(pair, mq_load_word(b), acc0);
        acc1 = mq_smlald(pair, mq_load_word(other), acc1);
    }
    if ((depth & 1) != 0) {
        acc0 += *a * *b;
        acc1 += *a * *other;
    }
    acc[0] = acc0;
    acc[1] = acc1;
}

/* a [batches][rows][depth], b [batches][columns][depth]; matrices may repeat. output
 * [batches][rows][columns]. */
MQ_KERNEL void mq_batch_matmul_s16_dsp(const mq_batch_matmul_s16_dsp_params_t *params,
                                       const int16_t *a,
                                       const int16_t *b,
                                       int16_t *output) {
    const int32_t depth = params->depth;
    const int32_t columns = params->columns;
    const int32_t multiplier = params->multiplier;
    const int32_t shift = params->shift;
    int32_t index[4] = {0, 0, 0, 0};
    int32_t a_at = 0;
    int32_t b_at = 0;
    for (int32_t batch = 0; batch < params->batches; batch++) {
        for (int32_t row = 0; row < params->rows; row++) {
            const int16_t *a_row = a + a_at + row * depth;
            const int16_t *b_row = b + b_at;
            int32_t column = 0;
            for (; column + 2 <= columns; column += 2) {
                int64_t acc[2];
                mq_batch_matmul_s16_dsp_two(a_row, b_row, depth, acc);
                *output++ = mq_s16_output(acc[0], multiplier, shift, 1, INT16_MIN, INT16_MAX);
                *output++ = mq_s16_output(acc[1], multiplier, shift, 1, INT16_MIN, INT16_MAX);
                b_row += 2 * depth;
            }
            if (column < columns) {
                const int64_t acc = mq_batch_matmul_s16_dsp_dot(a_row, b_row, depth);
                *output++ = mq_s16_output(acc, multiplier, shift, 1, INT16_MIN, INT16_MAX);
            }
        }
        const int32_t axis = mq_next_row(params->sizes, index);
        a_at += params->a_steps[axis];
        b_at += params->b_steps[axis];
    }
}

#endif
