/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: products of int8 matrices, any CPU.
 */
#ifndef MQ_BATCH_MATMUL_S8_H
#define MQ_BATCH_MATMUL_S8_H

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
} mq_batch_matmul_s8_params_t;

/* acc[i] += the sum of a row of a times column i of b, for i < outputs: MQ_DOT_OUTPUTS or 1. */
MQ_KERNEL void mq_batch_matmul_s8_dots(const mq_batch_matmul_s8_params_t *params,
                                       const int8_t *a,
                                       const int8_t *b,
                                       int32_t outputs,
                                       int32_t *acc) {
    const int32_t b_column = params->b_column;
    int32_t acc0 = acc[0];
    if (outputs == 1) {
        for (int32_t k = 0; k < params->depth; k++) {
            acc0 = mq_mac(acc0, *a - params->a_zero_point, *b - params->b_zero_point);
            a += params->a_depth;
            b += params->b_depth;
        }
    } else {
        int32_t acc1 = acc[1];
        int32_t acc2 = acc[2];
        int32_t acc3 = acc[3];
        for (int32_t k = 0; k < params->depth; k++) {
            const int32_t value = *a - params->a_zero_point;
            acc0 = mq_mac(acc0, value, b[0] - params->b_zero_point);
            acc1 = mq_mac(acc1, value, b[b_column] - params->b_zero_point);
            acc2 = mq_mac(acc2, value, b[2 * b_column] - params->b_zero_point);
            acc3 = mq_mac(acc3, value, b[3 * b_column] - params->b_zero_point);
            a += params->a_depth;
            b += params->b_depth;
        }
        acc[1] = acc1;
        acc[2] = acc2;
        acc[3] = acc3;
    }
    acc[0] = acc0;
}

/* a [batches][rows][depth], b [batches][depth][columns], or as the strides say; matrices may repeat.
 * output [batches][rows][columns].
 */
MQ_KERNEL void mq_batch_matmul_s8(const mq_batch_matmul_s8_params_t *params,
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
                mq_batch_matmul_s8_dots(params, a_row, b + b_at + column * params->b_column, outputs, acc);
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
