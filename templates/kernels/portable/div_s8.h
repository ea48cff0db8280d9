/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: int8 quotient of two operands that broadcast, any CPU.
 */
#ifndef MQ_DIV_S8_H
#define MQ_DIV_S8_H

#include "mq_divide.h"
#include "mq_walk.h"

typedef struct {
    int32_t rows;           /* of the output */
    int32_t columns;        /* elements of a row */
    int32_t sizes[4];       /* outer axes of the output */
    int32_t first_steps[4]; /* of the first operand, see mq_next_row */
    int32_t first_stride;   /* of the first operand along a row: 1, or 0 if it is repeated */
    int32_t second_steps[4];
    int32_t second_stride;
    int32_t first_zero_point;
    int32_t second_zero_point;
    int32_t output_zero_point;
    int32_t output_multiplier;
    int32_t output_shift;
    int32_t activation_min;
    int32_t activation_max;
} mq_div_s8_params_t;

/* output [rows][columns]. An operand that is not repeated may lie where the output does. */
MQ_KERNEL void
mq_div_s8(const mq_div_s8_params_t *params, const int8_t *first, const int8_t *second, int8_t *output) {
    int32_t index[4] = {0, 0, 0, 0};
    int32_t first_at = 0;
    int32_t second_at = 0;
    for (int32_t row = 0; row < params->rows; row++) {
        const int8_t *a = first + first_at;
        const int8_t *b = second + second_at;
        for (int32_t column = 0; column < params->columns; column++) {
            const int32_t quotient = mq_divide(*a - params->first_zero_point, *b - params->second_zero_point,
                                               params->output_multiplier, params->output_shift);
            *output++ = (int8_t)mq_clamp(quotient + params->output_zero_point, params->activation_min,
                                         params->activation_max);
            a += params->first_stride;
            b += params->second_stride;
        }
        const int32_t axis = mq_next_row(params->sizes, index);
        first_at += params->first_steps[axis];
        second_at += params->second_steps[axis];
    }
}

#endif
