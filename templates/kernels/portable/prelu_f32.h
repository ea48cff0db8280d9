/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: float32 values, those below 0 times a slope that broadcasts, any CPU.
 */
#ifndef MQ_PRELU_F32_H
#define MQ_PRELU_F32_H

#include "mq_walk.h"

typedef struct {
    int32_t rows;       /* of the output */
    int32_t columns;    /* elements of a row */
    int32_t sizes[4];   /* outer axes of the output */
    int32_t x_steps[4]; /* see mq_next_row */
    int32_t x_stride;   /* along a row: 1, or 0 if it is repeated */
    int32_t alpha_steps[4];
    int32_t alpha_stride;
} mq_prelu_f32_params_t;

/* output [rows][columns]. x may lie where the output does. */
MQ_KERNEL void
mq_prelu_f32(const mq_prelu_f32_params_t *params, const float *x, const float *alpha, float *output) {
    int32_t index[4] = {0, 0, 0, 0};
    int32_t x_at = 0;
    int32_t alpha_at = 0;
    for (int32_t row = 0; row < params->rows; row++) {
        const float *a = x + x_at;
        const float *b = alpha + alpha_at;
        for (int32_t column = 0; column < params->columns; column++) {
            *output++ = *a >= 0.0f ? *a : *a * *b;
            a += params->x_stride;
            b += params->alpha_stride;
        }
        const int32_t axis = mq_next_row(params->sizes, index);
        x_at += params->x_steps[axis];
        alpha_at += params->alpha_steps[axis];
    }
}

#endif
