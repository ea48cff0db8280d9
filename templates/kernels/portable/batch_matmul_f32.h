/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: products of float32 matrices, any CPU.
 */
#ifndef MQ_BATCH_MATMUL_F32_H
#define MQ_BATCH_MATMUL_F32_H

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
} mq_batch_matmul_f32_params_t;

/* acc[i] += the sum of a row of a times column i of b, for i < outputs: MQ_DOT_OUTPUTS or 1. */
MQ_KERNEL void mq_batch_matmul_f32_dots(
    const mq_batch_matmul_f32_params_t *params, const float *a, const float *b, int32_t outputs, float *acc) {
    const int32_t b_column = params->b_column;
    float acc0 = acc[0];
    if (outputs == 1) {
        for (int32_t k = 0; k < params->depth; k++) {
            acc0 = acc0 + *a * *b;
            a += params->a_depth;
            b += params->b_depth;
        }
    } else {
        float acc1 = acc[1];
        float acc2 = acc[2];
        float acc3 = acc[3];
        for (int32_t k = 0; k < params->depth; k++) {
            const float value = *a;
            acc0 = acc0 + value * b[0];
            acc1 = acc1 + value * b[b_column];
            acc2 = acc2 + value * b[2 * b_column];
            acc3 = acc3 + value * b[3 * b_column];
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
MQ_KERNEL void mq_batch_matmul_f32(const mq_batch_matmul_f32_params_t *params,
                                   const float *a,
                                   const float *b,
                                   float *output) {
    int32_t index[4] = {0, 0, 0, 0};
    int32_t a_at = 0;
    int32_t b_at = 0;
    for (int32_t batch = 0; batch < params->batches; batch++) {
        for (int32_t row = 0; row < params->rows; row++) {
            const float *a_row = a + a_at + row * params->a_row;
            int32_t outputs;
            for (int32_t column = 0; column < params->columns; column += outputs) {
                float acc[MQ_DOT_OUTPUTS] = {0.0f, 0.0f, 0.0f, 0.0f};
                outputs = params->columns - column < MQ_DOT_OUTPUTS ? 1 : MQ_DOT_OUTPUTS;
                mq_batch_matmul_f32_dots(params, a_row, b + b_at + column * params->b_column, outputs, acc);
                for (int32_t i = 0; i < outputs; i++) {
                    *output++ = acc[i];
                }
            }
        }
        const int32_t axis = mq_next_row(params->sizes, index);
        a_at += params->a_steps[axis];
        b_at += params->b_steps[axis];
    }
}

#endif
