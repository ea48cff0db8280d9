/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: int16 values, those below 0 times an int8 slope that broadcasts, any CPU.
 */
#ifndef MQ_PRELU_S16_H
#define MQ_PRELU_S16_H

#include "mq_walk.h"

typedef struct {
    int32_t rows;       /* of the output */
    int32_t columns;    /* elements of a row */
    int32_t sizes[4];   /* outer axes of the output */
    int32_t x_steps[4]; /* see mq_next_row */
    int32_t x_stride;   /* along a row: 1, or 0 if it is repeated */
    int32_t alpha_steps[4];
    int32_t alpha_stride;
    int32_t alpha_zero_point;
    int32_t multiplier; /* of values that are not negative */
    int32_t shift;
    int32_t negative_multiplier; /* of the others' products with alpha */
    int32_t negative_shift;
} mq_prelu_s16_params_t;

/* output [rows][columns]. x may lie where the output does. */
MQ_KERNEL void
mq_prelu_s16(const mq_prelu_s16_params_t *params, const int16_t *x, const int8_t *alpha, int16_t *output) {
    int32_t index[4] = {0, 0, 0, 0};
    int32_t x_at = 0;
    int32_t alpha_at = 0;
    for (int32_t row = 0; row < params->rows; row++) {
        const int16_t *a = x + x_at;
        const int8_t *b = alpha + alpha_at;
        for (int32_t column = 0; column < params->columns; column++) {
            const int32_t value = *a;
            const int32_t y = value >= 0 ? mq_requantize(value, params->multiplier, params->shift)
                                         : mq_requantize(value * (*b - params->alpha_zero_point),
                                                         params->negative_multiplier, params->negative_shift);
            *output++ = (int16_t)mq_clamp(y, INT16_MIN, INT16_MAX);
            a += params->x_stride;
            b += params->alpha_stride;
        }
        const int32_t axis = mq_next_row(params->sizes, index);
        x_at += params->x_steps[axis];
        alpha_at += params->alpha_steps[axis];
    }
}

#endif
