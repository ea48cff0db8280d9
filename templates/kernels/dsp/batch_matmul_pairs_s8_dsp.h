/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: products of int8 matrices, both widened to pairs of int16 once, four columns at a time
 * (Cortex-M4, M7, M33).
 */
#ifndef MQ_BATCH_MATMUL_PAIRS_S8_DSP_H
#define MQ_BATCH_MATMUL_PAIRS_S8_DSP_H

#include "mq_dsp.h"
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
    int32_t a_zero_point;
    int32_t b_zero_point;
    int32_t output_zero_point;
    int32_t multiplier;
    int32_t right; /* of the upper word of a product, 1 to 22 */
} mq_batch_matmul_pairs_s8_dsp_params_t;

/* Columns that are computed at once; their words lie side by side. */
#define MQ_PAIRS_COLUMNS 4

/* Factors in[k * step], less zero_point, four at a time as words (0, 2) and (1, 3), which are `stride` words
 * apart. Behind `count` there are zeros up to whole words.
 */
static inline void mq_pairs_widen(
    uint32_t *words, int32_t stride, const int8_t *in, int32_t step, int32_t count, int32_t zero_point) {
    const uint32_t minus = mq_pair(-zero_point, -zero_point);
    const int32_t whole = count & ~3;
    if (step == 1) {
        for (const int8_t *end = in + whole; in < end; in += 4) {
            const uint32_t bytes = mq_load_word(in);
            words[0] = mq_sxtab16(minus, bytes);
            words[stride] = mq_sxtab16_ror8(minus, bytes);
            words += 2 * stride;
        }
    } else {
        for (int32_t k = 0; k < whole; k += 4) {
            words[0] = mq_pair(in[0] - zero_point, in[2 * step] - zero_point);
            words[stride] = mq_pair(in[step] - zero_point, in[3 * step] - zero_point);
            in += 4 * step;
            words += 2 * stride;
        }
    }
    if (whole < count) {
        words[0] = mq_pair(in[0] - zero_point, whole + 2 < count ? in[2 * step] - zero_point : 0);
        words[stride] = whole + 1 < count ? mq_pair(in[step] - zero_point, 0) : 0;
    }
}

/* All columns of a matrix, four by four, twice each factor. */
static inline void mq_pairs_columns(const mq_batch_matmul_pairs_s8_dsp_params_t *params,
                                    const int8_t *b,
                                    int32_t words,
                                    uint32_t *column_words) {
    for (int32_t column = 0; column < params->columns; column++) {
        const int32_t in_block = column % MQ_PAIRS_COLUMNS;
        uint32_t *at = column_words + (column - in_block) * words + in_block;
        mq_pairs_widen(at, MQ_PAIRS_COLUMNS, b + column * params->b_column, params->b_depth, params->depth,
                       params->b_zero_point);
        for (int32_t i = 0; i < words; i++) {
            at[i * MQ_PAIRS_COLUMNS] = mq_sadd16(at[i * MQ_PAIRS_COLUMNS], at[i * MQ_PAIRS_COLUMNS]);
        }
    }
}

/* An output of twice a sum: |sum| < 2^30. half: rounds, and has the zero_point, both `right` bits up; halves
 * are rounded away from zero. */
static inline int32_t mq_pairs_output(int32_t sum, int32_t multiplier, int32_t half, int32_t right) {
    return mq_ssat8((mq_smmlar(sum, multiplier, half) + (sum >> 31)) >> right);
}

/* A row of outputs. a [words], b [columns / 4, rounded up][words][4]; half, right: of mq_pairs_output. */
static inline void mq_pairs_row(const mq_batch_matmul_pairs_s8_dsp_params_t *params,
                                const uint32_t *a,
                                const uint32_t *b,
                                int32_t words,
                                int8_t *output) {
    const int32_t multiplier = params->multiplier;
    const int32_t right = params->right;
    const int32_t half = ((int32_t)1 << (right - 1)) + params->output_zero_point * ((int32_t)1 << right);
    const uint32_t *end = a + words;
    for (int32_t left = params->columns; left > 0; left -= MQ_PAIRS_COLUMNS) {
        int32_t acc0 = 0;
        int32_t acc1 = 0;
        int32_t acc2 = 0;
        int32_t acc3 = 0;
        const uint32_t *factors = a;
        do {
            const uint32_t even = factors[0];
            acc0 = mq_smlad(even, b[0], acc0);
            acc1 = mq_smlad(even, b[1], acc1);
            acc2 = mq_smlad(even, b[2], acc2);
            acc3 = mq_smlad(even, b[3], acc3);
            const uint32_t odd = factors[1];
            acc0 = mq_smlad(odd, b[4], acc0);
            acc1 = mq_smlad(odd, b[5], acc1);
            acc2 = mq_smlad(odd, b[6], acc2);
            acc3 = mq_smlad(odd, b[7], acc3);
            factors += 2;
            b += 2 * MQ_PAIRS_COLUMNS;
        } while (factors < end);
        *output++ = (int8_t)mq_pairs_output(acc0, multiplier, half, right);
        if (left >= MQ_PAIRS_COLUMNS) {
            output[0] = (int8_t)mq_pairs_output(acc1, multiplier, half, right);
            output[1] = (int8_t)mq_pairs_output(acc2, multiplier, half, right);
            output[2] = (int8_t)mq_pairs_output(acc3, multiplier, half, right);
            output += MQ_PAIRS_COLUMNS - 1;
            continue;
        }
        if (left > 1) {
            *output++ = (int8_t)mq_pairs_output(acc1, multiplier, half, right);
        }
        if (left > 2) {
            *output++ = (int8_t)mq_pairs_output(acc2, multiplier, half, right);
        }
    }
}

/* a [batches][rows][depth], b [batches][depth][columns], each with those two axes in either order; matrices
 * may repeat. scratch: words of a row of a, then of b's columns, four by four. output
 * [batches][rows][columns].
 */
MQ_KERNEL void mq_batch_matmul_pairs_s8_dsp(const mq_batch_matmul_pairs_s8_dsp_params_t *params,
                                            const int8_t *a,
                                            const int8_t *b,
                                            void *scratch,
                                            int8_t *output) {
    const int32_t words = (params->depth + 3) / 4 * 2;
    uint32_t *row_words = scratch;
    uint32_t *column_words = row_words + words;
    int32_t index[4] = {0, 0, 0, 0};
    int32_t a_at = 0;
    int32_t b_at = 0;
    for (int32_t batch = 0; batch < params->batches; batch++) {
        mq_pairs_columns(params, b + b_at, words, column_words);
        for (int32_t row = 0; row < params->rows; row++) {
            mq_pairs_widen(row_words, 1, a + a_at + row * params->a_row, params->a_depth, params->depth,
                           params->a_zero_point);
            mq_pairs_row(params, row_words, column_words, words, output);
            output += params->columns;
        }
        const int32_t axis = mq_next_row(params->sizes, index);
        a_at += params->a_steps[axis];
        b_at += params->b_steps[axis];
    }
}

#endif
