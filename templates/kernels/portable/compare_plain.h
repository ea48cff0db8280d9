/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: comparison of two operands of bool, int32 or int64 that broadcast, any CPU.
 */
#ifndef MQ_COMPARE_PLAIN_H
#define MQ_COMPARE_PLAIN_H

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
    int32_t relation;      /* MQ_EQUAL, … */
    int32_t negate;        /* 1: whether the relation does not hold */
    int32_t element_bytes; /* of an operand: 1 (bool), 4 or 8 */
} mq_compare_plain_params_t;

/* element_bytes: a literal. */
MQ_SPECIALISED int64_t mq_compare_plain_load(const uint8_t *at, int32_t element_bytes) {
    int64_t wide;
    int32_t narrow;
    if (element_bytes == 1) {
        return *at;
    }
    if (element_bytes == 4) {
        memcpy(&narrow, at, sizeof narrow);
        return narrow;
    }
    memcpy(&wide, at, sizeof wide);
    return wide;
}

MQ_SPECIALISED void mq_compare_plain_row(const mq_compare_plain_params_t *params,
                                         int32_t element_bytes,
                                         const uint8_t *a,
                                         const uint8_t *b,
                                         uint8_t *output) {
    for (int32_t column = 0; column < params->columns; column++) {
        const int64_t x = mq_compare_plain_load(a, element_bytes);
        const int64_t y = mq_compare_plain_load(b, element_bytes);
        const int holds = params->relation == MQ_BOTH     ? x && y
                          : params->relation == MQ_EITHER ? x || y
                                                          : MQ_HOLDS(params->relation, x, y);
        *output++ = (uint8_t)(holds != params->negate);
        a += params->first_stride * element_bytes;
        b += params->second_stride * element_bytes;
    }
}

/* output [rows][columns], 1 or 0. An operand that is not repeated may lie where the output does. */
MQ_KERNEL void mq_compare_plain(const mq_compare_plain_params_t *params,
                                const void *first,
                                const void *second,
                                uint8_t *output) {
    const int32_t bytes = params->element_bytes;
    const uint8_t *a = (const uint8_t *)first;
    const uint8_t *b = (const uint8_t *)second;
    int32_t index[4] = {0, 0, 0, 0};
    for (int32_t row = 0; row < params->rows; row++) {
        switch (bytes) {
        case 1:
            mq_compare_plain_row(params, 1, a, b, output);
            break;
        case 4:
            mq_compare_plain_row(params, 4, a, b, output);
            break;
        default:
            mq_compare_plain_row(params, 8, a, b, output);
            break;
        }
        output += params->columns;
        const int32_t axis = mq_next_row(params->sizes, index);
        a += params->first_steps[axis] * bytes;
        b += params->second_steps[axis] * bytes;
    }
}

#endif
