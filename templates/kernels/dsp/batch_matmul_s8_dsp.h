/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: products of int8 matrices, four factors at once (Cortex-M4, M7, M33). The first operand lies in
 * rows.
 */
#ifndef MQ_BATCH_MATMUL_S8_DSP_H
#define MQ_BATCH_MATMUL_S8_DSP_H

#include "mq_dsp_dots.h"
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
    int32_t shift;
} mq_batch_matmul_s8_dsp_params_t;

/* acc[i] += the sum of a row of a times column i of b, for i < 4, where b lies in rows of `columns` bytes. */
static inline void mq_batch_matmul_s8_dsp_columns(
    int32_t *acc, const int8_t *a, const int8_t *b, int32_t columns, int32_t depth, mq_dsp_minus_t minus) {
    int32_t acc0 = acc[0];
    int32_t acc1 = acc[1];
    int32_t acc2 = acc[2];
    int32_t acc3 = acc[3];
    int32_t k = 0;
    for (; k + 4 <= depth; k += 4) {
        const uint32_t bytes = mq_load_word(a + k);
        /* Factors k and k + 2 of the first operand are a pair; so they must be of the second. */
        for (int32_t i = 0; i < 2; i++) {
            const uint32_t value = i == 0 ? mq_sxtab16(minus.a, bytes) : mq_sxtab16_ror8(minus.a, bytes);
            const uint32_t row = mq_load_word(b + i * columns);
            const uint32_t later = mq_load_word(b + (i + 2) * columns);
            const uint32_t even = mq_sxtab16(minus.b, row);
            const uint32_t odd = mq_sxtab16_ror8(minus.b, row);
            const uint32_t later_even = mq_sxtab16(minus.b, later);
            const uint32_t later_odd = mq_sxtab16_ror8(minus.b, later);
            acc0 = mq_smlad(value, mq_pkhbt(even, later_even), acc0);
            acc1 = mq_smlad(value, mq_pkhbt(odd, later_odd), acc1);
            acc2 = mq_smlad(value, mq_pkhtb(later_even, even), acc2);
            acc3 = mq_smlad(value, mq_pkhtb(later_odd, odd), acc3);
        }
        b += 4 * columns;
    }
    for (; k < depth; k++) {
        const int32_t value = a[k] + mq_bottom(minus.a);
        acc0 = mq_mac(acc0, value, b[0] + mq_bottom(minus.b));
        acc1 = mq_mac(acc1, value, b[1] + mq_bottom(minus.b));
        acc2 = mq_mac(acc2, value, b[2] + mq_bottom(minus.b));
        acc3 = mq_mac(acc3, value, b[3] + mq_bottom(minus.b));
        b += columns;
    }
    acc[0] = acc0;
    acc[1] = acc1;
    acc[2] = acc2;
    acc[3] = acc3;
}

/* The same for `outputs` columns, MQ_DOT_OUTPUTS or 1, however b lies. */
MQ_KERNEL void mq_batch_matmul_s8_dsp_dots(const mq_batch_matmul_s8_dsp_params_t *params,
                                           const int8_t *a,
                                           const int8_t *b,
                                           int32_t outputs,
                                           int32_t *acc) {
    const mq_dsp_minus_t minus = mq_dsp_minus(params->a_zero_point, params->b_zero_point);
    if (params->b_depth == 1) {
        mq_dsp_dots(acc, outputs, a, b, params->b_column, params->depth, minus);
    } else if (outputs == MQ_DOT_OUTPUTS) {
        mq_batch_matmul_s8_dsp_columns(acc, a, b, params->b_depth, params->depth, minus);
    } else {
        for (int32_t k = 0; k < params->depth; k++) {
            acc[0] = mq_mac(acc[0], a[k] - params->a_zero_point, *b - params->b_zero_point);
            b += params->b_depth;
        }
    }
}

/* a [batches][rows][depth], b [batches][depth][columns], or as the strides say; matrices may repeat.
 * output [batches][rows][columns].
 */
MQ_KERNEL void mq_batch_matmul_s8_dsp(const mq_batch_matmul_s8_dsp_params_t *params,
                                      const int8_t *a,
                                      const int8_t *b,
                                      int8_t *output) {
    int32_t index[4] = {0, 0, 0, 0};
    int32_t a_at = 0;
    int32_t b_at = 0;
    for (int32_t batch = 0; batch < params->batches; batch++) {
        for (int32_t row = 0; row < params->rows; row++) {
            const int8_t *a_row = a + a_at + row * params->a_row;
            int32_t outputs;
            for (int32_t column = 0; column < params->columns; column += outputs) {
                int32_t acc[MQ_DOT_OUTPUTS] = {0, 0, 0, 0};
                outputs = params->columns - column < MQ_DOT_OUTPUTS ? 1 : MQ_DOT_OUTPUTS;
                mq_batch_matmul_s8_dsp_dots(params, a_row, b + b_at + column * params->b_column, outputs,
                                            acc);
                for (int32_t i = 0; i < outputs; i++) {
                    *output++ = mq_requantize_to_int8(acc[i], params->multiplier, params->shift,
                                                      params->output_zero_point, INT8_MIN, INT8_MAX);
                }
            }
        }
        const int32_t axis = mq_next_row(params->sizes, index);
        a_at += params->a_steps[axis];
        b_at += params->b_steps[axis];
    }
}

#endif
