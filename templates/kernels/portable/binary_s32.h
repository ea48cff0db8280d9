/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: arithmetic on two operands of int32 that broadcast, any CPU. Results wrap.
 */
#ifndef MQ_BINARY_S32_H
#define MQ_BINARY_S32_H

#include "mq_walk.h"

/* The values of `operation`. */
#define MQ_BINARY_S32_ADD 0
#define MQ_BINARY_S32_SUB 1
#define MQ_BINARY_S32_MUL 2
#define MQ_BINARY_S32_MINIMUM 3
#define MQ_BINARY_S32_MAXIMUM 4
#define MQ_BINARY_S32_DIV 5
#define MQ_BINARY_S32_FLOOR_DIV 6
#define MQ_BINARY_S32_FLOOR_MOD 7
#define MQ_BINARY_S32_SQUARED_DIFFERENCE 8

typedef struct {
    int32_t rows;           /* of the output */
    int32_t columns;        /* elements of a row */
    int32_t sizes[4];       /* outer axes of the output */
    int32_t first_steps[4]; /* of the first operand, see mq_next_row */
    int32_t first_stride;   /* of the first operand along a row: 1, or 0 if it is repeated */
    int32_t second_steps[4];
    int32_t second_stride;
    int32_t operation; /* MQ_BINARY_S32_… */
} mq_binary_s32_params_t;

/* By 0 it is 0. */
static inline int32_t mq_binary_s32_quotient(int32_t operation, int32_t a, int32_t b) {
    if (b == 0 || b == -1) { /* INT32_MIN / -1 wraps */
        return b == 0 || operation == MQ_BINARY_S32_FLOOR_MOD ? 0 : (int32_t)(0u - (uint32_t)a);
    }
    const int32_t rest = a % b;
    const int32_t below = rest != 0 && (rest < 0) != (b < 0) ? 1 : 0; /* the floor is one lower */
    if (operation == MQ_BINARY_S32_FLOOR_MOD) {
        return below ? rest + b : rest;
    }
    return operation == MQ_BINARY_S32_FLOOR_DIV ? a / b - below : a / b;
}

static inline int32_t mq_binary_s32_of(int32_t operation, int32_t a, int32_t b) {
    switch (operation) {
    case MQ_BINARY_S32_ADD:
        return (int32_t)((uint32_t)a + (uint32_t)b);
    case MQ_BINARY_S32_SUB:
        return (int32_t)((uint32_t)a - (uint32_t)b);
    case MQ_BINARY_S32_MUL:
        return (int32_t)((uint32_t)a * (uint32_t)b);
    case MQ_BINARY_S32_MINIMUM:
        return mq_min(a, b);
    case MQ_BINARY_S32_DIV:
    case MQ_BINARY_S32_FLOOR_DIV:
    case MQ_BINARY_S32_FLOOR_MOD:
        return mq_binary_s32_quotient(operation, a, b);
    case MQ_BINARY_S32_SQUARED_DIFFERENCE: {
        const uint32_t difference = (uint32_t)a - (uint32_t)b;
        return (int32_t)(difference * difference);
    }
    default:
        return mq_max(a, b);
    }
}

/* output [rows][columns]. An operand that is not repeated may lie where the output does. */
MQ_KERNEL void mq_binary_s32(const mq_binary_s32_params_t *params,
                             const int32_t *first,
                             const int32_t *second,
                             int32_t *output) {
    int32_t index[4] = {0, 0, 0, 0};
    int32_t first_at = 0;
    int32_t second_at = 0;
    for (int32_t row = 0; row < params->rows; row++) {
        const int32_t *a = first + first_at;
        const int32_t *b = second + second_at;
        for (int32_t column = 0; column < params->columns; column++) {
            *output++ = mq_binary_s32_of(params->operation, *a, *b);
            a += params->first_stride;
            b += params->second_stride;
        }
        const int32_t axis = mq_next_row(params->sizes, index);
        first_at += params->first_steps[axis];
        second_at += params->second_steps[axis];
    }
}

#endif
