/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: one of two float32 operands by a condition; all three broadcast, any CPU.
 */
#ifndef MQ_SELECT_F32_H
#define MQ_SELECT_F32_H

#include "mq_walk.h"

typedef struct {
    int32_t rows;               /* of the output */
    int32_t columns;            /* elements of a row */
    int32_t sizes[4];           /* outer axes of the output */
    int32_t condition_steps[4]; /* of the condition, see mq_next_row */
    int32_t condition_stride;   /* of the condition along a row: 1, or 0 if it is repeated */
    int32_t chosen_steps[4];
    int32_t chosen_stride;
    int32_t other_steps[4];
    int32_t other_stride;
} mq_select_f32_params_t;

/* output [rows][columns]: chosen where condition is not 0, else other. An operand that is not repeated
 * may lie where the output does.
 */
MQ_KERNEL void mq_select_f32(const mq_select_f32_params_t *params,
                             const uint8_t *condition,
                             const float *chosen,
                             const float *other,
                             float *output) {
    int32_t index[4] = {0, 0, 0, 0};
    int32_t condition_at = 0;
    int32_t chosen_at = 0;
    int32_t other_at = 0;
    for (int32_t row = 0; row < params->rows; row++) {
        const uint8_t *c = condition + condition_at;
        const float *a = chosen + chosen_at;
        const float *b = other + other_at;
        for (int32_t column = 0; column < params->columns; column++) {
            *output++ = *c ? *a : *b;
            c += params->condition_stride;
            a += params->chosen_stride;
            b += params->other_stride;
        }
        const int32_t axis = mq_next_row(params->sizes, index);
        condition_at += params->condition_steps[axis];
        chosen_at += params->chosen_steps[axis];
        other_at += params->other_steps[axis];
    }
}

#endif
