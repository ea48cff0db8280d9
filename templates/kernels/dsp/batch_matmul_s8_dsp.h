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

/* A matrix [columns][depth] from one that lies in rows [depth][columns]. */
static inline void
mq_batch_matmul_s8_dsp_turn(int8_t *to, const int8_t *from, int32_t depth, int32_t columns) {
    for (int32_t column = 0; column < columns; column++) {
        for (int32_t k = 0; k < depth; k++) {
            *to++ = from[k * columns + column];
        }
    }
}

/* a [batches][rows][depth], b [batches][columns][depth], or [batches][depth][columns] where b_depth is not 1;
 * matrices may repeat. scratch: then [columns][depth], else unused. output [batches][rows][columns].
 */
MQ_KERNEL void mq_batch_matmul_s8_dsp(const mq_batch_matmul_s8_dsp_params_t *params,
                                      const int8_t *a,
                                      const int8_t *b,
                                      int8_t *scratch,
                                      int8_t *output) {
    const mq_dsp_minus_t minus = mq_dsp_minus(params->a_zero_point, params->b_zero_point);
    const int32_t depth = params->depth;
    int32_t index[4] = {0, 0, 0, 0};
    int32_t a_at = 0;
    int32_t b_at = 0;
    for (int32_t batch = 0; batch < params->batches; batch++) {
        const int8_t *matrix = b + b_at;
        if (params->b_depth != 1) {
            mq_batch_matmul_s8_dsp_turn(scratch, matrix, depth, params->columns);
            matrix = scratch;
        }
        for (int32_t row = 0; row < params->rows; row++) {
            const int8_t *a_row = a + a_at + row * depth;
            int32_t outputs;
            for (int32_t column = 0; column < params->columns; column += outputs) {
                int32_t acc[MQ_DOT_OUTPUTS] = {0, 0, 0, 0};
                outputs = params->columns - column < MQ_DOT_OUTPUTS ? 1 : MQ_DOT_OUTPUTS;
                mq_dsp_dots(acc, outputs, a_row, matrix + column * depth, depth, depth, minus);
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
