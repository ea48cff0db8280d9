/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: one of two operands by a condition; all three broadcast, elements of any type, any CPU.
 */
#ifndef MQ_SELECT_H
#define MQ_SELECT_H

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
    int32_t element_bytes; /* 1, 2, 4 or 8 */
} mq_select_params_t;

/* element_bytes: a literal. */
MQ_SPECIALISED void mq_select_row(const mq_select_params_t *params,
                                  size_t element_bytes,
                                  const uint8_t *condition,
                                  const uint8_t *chosen,
                                  const uint8_t *other,
                                  uint8_t *output) {
    for (int32_t column = 0; column < params->columns; column++) {
        uint8_t element[8];
        memcpy(element, *condition ? chosen : other, element_bytes);
        memcpy(output, element, element_bytes);
        output += element_bytes;
        condition += params->condition_stride;
        chosen += params->chosen_stride * (int32_t)element_bytes;
        other += params->other_stride * (int32_t)element_bytes;
    }
}

/* output [rows][columns]: chosen where condition is not 0, else other. An operand that is not repeated
 * may lie where the output does.
 */
MQ_KERNEL void mq_select(const mq_select_params_t *params,
                         const uint8_t *condition,
                         const void *chosen,
                         const void *other,
                         void *output) {
    const int32_t bytes = params->element_bytes;
    const uint8_t *a = (const uint8_t *)chosen;
    const uint8_t *b = (const uint8_t *)other;
    uint8_t *y = (uint8_t *)output;
    int32_t index[4] = {0, 0, 0, 0};
    for (int32_t row = 0; row < params->rows; row++) {
        switch (bytes) {
        case 1:
            mq_select_row(params, 1u, condition, a, b, y);
            break;
        case 2:
            mq_select_row(params, 2u, condition, a, b, y);
            break;
        case 4:
            mq_select_row(params, 4u, condition, a, b, y);
            break;
        default:
            mq_select_row(params, 8u, condition, a, b, y);
            break;
        }
        y += params->columns * bytes;
        const int32_t axis = mq_next_row(params->sizes, index);
        condition += params->condition_steps[axis];
        a += params->chosen_steps[axis] * bytes;
        b += params->other_steps[axis] * bytes;
    }
}

#endif
