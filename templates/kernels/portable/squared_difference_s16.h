/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: int16 square of the difference of two operands that broadcast, any CPU.
 */
#ifndef MQ_SQUARED_DIFFERENCE_S16_H
#define MQ_SQUARED_DIFFERENCE_S16_H

#include "mq_walk.h"

typedef struct {
    int32_t rows;           /* of the output */
    int32_t columns;        /* elements of a row */
    int32_t sizes[4];       /* outer axes of the output */
    int32_t first_steps[4]; /* of the first operand, see mq_next_row */
    int32_t first_stride;   /* of the first operand along a row: 1, or 0 if it is repeated */
    int32_t second_steps[4];
    int32_t second_stride;
    int32_t first_multiplier; /* to the common scale */
    int32_t first_shift;
    int32_t second_multiplier; /* to the common scale */
    int32_t second_shift;
    int32_t output_multiplier; /* from the common scale, squared */
    int32_t output_shift;
    int32_t activation_min; /* of the type */
    int32_t activation_max;
} mq_squared_difference_s16_params_t;

/* output [rows][columns]. An operand that is not repeated may lie where the output does. */
MQ_KERNEL void mq_squared_difference_s16(const mq_squared_difference_s16_params_t *params,
                                         const int16_t *first,
                                         const int16_t *second,
                                         int16_t *output) {
    int32_t index[4] = {0, 0, 0, 0};
    int32_t first_at = 0;
    int32_t second_at = 0;
    for (int32_t row = 0; row < params->rows; row++) {
        const int16_t *a = first + first_at;
        const int16_t *b = second + second_at;
        for (int32_t column = 0; column < params->columns; column++) {
            const int32_t x = mq_requantize(*a, params->first_multiplier, params->first_shift);
            const int32_t y = mq_requantize(*b, params->second_multiplier, params->second_shift);
            const int32_t z =
                mq_requantize((x - y) * (x - y), params->output_multiplier, params->output_shift);
            *output++ = (int16_t)mq_clamp(z, params->activation_min, params->activation_max);
            a += params->first_stride;
            b += params->second_stride;
        }
        const int32_t axis = mq_next_row(params->sizes, index);
        first_at += params->first_steps[axis];
        second_at += params->second_steps[axis];
    }
}

#endif
