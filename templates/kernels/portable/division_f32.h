/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: float32 whole quotients, remainders and powers of two operands that broadcast, any CPU.
 */
#ifndef MQ_DIVISION_F32_H
#define MQ_DIVISION_F32_H

#include "mq_float_powers.h"
#include "mq_walk.h"

/* The values of `operation`. */
#define MQ_DIVISION_FLOOR 0
#define MQ_DIVISION_REST 1
#define MQ_DIVISION_POW 2

typedef struct {
    int32_t rows;           /* of the output */
    int32_t columns;        /* elements of a row */
    int32_t sizes[4];       /* outer axes of the output */
    int32_t first_steps[4]; /* of the first operand, see mq_next_row */
    int32_t first_stride;   /* of the first operand along a row: 1, or 0 if it is repeated */
    int32_t second_steps[4];
    int32_t second_stride;
    int32_t operation; /* MQ_DIVISION_… */
} mq_division_f32_params_t;

/* output [rows][columns]. An operand that is not repeated may lie where the output does. */
MQ_KERNEL void mq_division_f32(const mq_division_f32_params_t *params,
                               const float *first,
                               const float *second,
                               float *output) {
    int32_t index[4] = {0, 0, 0, 0};
    int32_t first_at = 0;
    int32_t second_at = 0;
    for (int32_t row = 0; row < params->rows; row++) {
        const float *a = first + first_at;
        const float *b = second + second_at;
        for (int32_t column = 0; column < params->columns; column++) {
            *output++ = params->operation == MQ_DIVISION_FLOOR  ? mq_floor_div_f32(*a, *b)
                        : params->operation == MQ_DIVISION_REST ? mq_floor_mod_f32(*a, *b)
                                                                : mq_pow_f32(*a, *b);
            a += params->first_stride;
            b += params->second_stride;
        }
        const int32_t axis = mq_next_row(params->sizes, index);
        first_at += params->first_steps[axis];
        second_at += params->second_steps[axis];
    }
}

#endif
