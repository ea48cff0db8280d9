/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: comparison of two float32 operands that broadcast, any CPU.
 */
#ifndef MQ_COMPARE_F32_H
#define MQ_COMPARE_F32_H

#include "mq_compare.h"
#include "mq_walk.h"

typedef struct {
    int32_t rows;           /* of the output */
    int32_t columns;        /* elements of a row */
    int32_t sizes[4];       /* outer axes of the output */
    int32_t first_steps[4]; /* of the first operand, see mq_next_row */
    int32_t first_stride;   /* of the first operand along a row: 1, or 0 if it is repeated */
    int32_t second_steps[4];
    int32_t second_stride;
    int32_t relation; /* MQ_EQUAL, … */
    int32_t negate;   /* 1: whether the relation does not hold */
} mq_compare_f32_params_t;

/* output [rows][columns], 1 or 0. An operand that is not repeated may lie where the output does. */
MQ_KERNEL void mq_compare_f32(const mq_compare_f32_params_t *params,
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
            *output++ = (uint8_t)(MQ_HOLDS(params->relation, *a, *b) != params->negate);
            a += params->first_stride;
            b += params->second_stride;
        }
        const int32_t axis = mq_next_row(params->sizes, index);
        first_at += params->first_steps[axis];
        second_at += params->second_steps[axis];
    }
}

#endif
