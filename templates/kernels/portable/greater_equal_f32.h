/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: whether one float32 operand is at least the other; they broadcast, any CPU.
 */
#ifndef MQ_GREATER_EQUAL_F32_H
#define MQ_GREATER_EQUAL_F32_H

#include "mq_walk.h"

typedef struct {
    int32_t rows;           /* of the output */
    int32_t columns;        /* elements of a row */
    int32_t sizes[4];       /* outer axes of the output */
    int32_t first_steps[4]; /* of the first operand, see mq_next_row */
    int32_t first_stride;   /* of the first operand along a row: 1, or 0 if it is repeated */
    int32_t second_steps[4];
    int32_t second_stride;
} mq_greater_equal_f32_params_t;

/* output [rows][columns], 1 or 0. NaN is not at least anything. */
MQ_KERNEL void mq_greater_equal_f32(const mq_greater_equal_f32_params_t *params,
                                    const float *first,
                                    const float *second,
                                    uint8_t *output) {
    int32_t index[4] = {0, 0, 0, 0};
    int32_t first_at = 0;
    int32_t second_at = 0;
    for (int32_t row = 0; row < params->rows; row++) {
        const float *a = first + first_at;
        const float *b = second + second_at;
        for (int32_t column = 0; column < params->columns; column++) {
            *output++ = *a >= *b ? 1u : 0u;
            a += params->first_stride;
            b += params->second_stride;
        }
        const int32_t axis = mq_next_row(params->sizes, index);
        first_at += params->first_steps[axis];
        second_at += params->second_steps[axis];
    }
}

#endif
