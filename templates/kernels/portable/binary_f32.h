/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: float32 arithmetic on two operands that broadcast, any CPU.
 */
#ifndef MQ_BINARY_F32_H
#define MQ_BINARY_F32_H

#include "mq_float.h"
#include "mq_walk.h"

/* The values of `operation`. */
#define MQ_BINARY_ADD 0
#define MQ_BINARY_SUB 1
#define MQ_BINARY_MUL 2
#define MQ_BINARY_MINIMUM 3
#define MQ_BINARY_MAXIMUM 4
#define MQ_BINARY_DIV 5
#define MQ_BINARY_SQUARED_DIFFERENCE 6

typedef struct {
    int32_t rows;           /* of the output */
    int32_t columns;        /* elements of a row */
    int32_t sizes[4];       /* outer axes of the output */
    int32_t first_steps[4]; /* of the first operand, see mq_next_row */
    int32_t first_stride;   /* of the first operand along a row: 1, or 0 if it is repeated */
    int32_t second_steps[4];
    int32_t second_stride;
    int32_t operation; /* MQ_BINARY_… */
    float activation_min;
    float activation_max;
} mq_binary_f32_params_t;

/* One value; operation is a literal. */
MQ_SPECIALISED float mq_binary_f32_of(int32_t operation, float a, float b) {
    switch (operation) {
    case MQ_BINARY_ADD:
        return a + b;
    case MQ_BINARY_SUB:
        return a - b;
    case MQ_BINARY_MUL:
        return a * b;
    case MQ_BINARY_MINIMUM:
        return b < a ? b : a;
    case MQ_BINARY_DIV:
        return a / b;
    case MQ_BINARY_SQUARED_DIFFERENCE:
        return (a - b) * (a - b);
    default:
        return b > a ? b : a;
    }
}

MQ_SPECIALISED void mq_binary_f32_row(
    const mq_binary_f32_params_t *params, int32_t operation, const float *a, const float *b, float *output) {
    for (int32_t column = 0; column < params->columns; column++) {
        *output++ =
            mq_clamp_f32(mq_binary_f32_of(operation, *a, *b), params->activation_min, params->activation_max);
        a += params->first_stride;
        b += params->second_stride;
    }
}

/* output [rows][columns]. An operand that is not repeated may lie where the output does. */
MQ_KERNEL void
mq_binary_f32(const mq_binary_f32_params_t *params, const float *first, const float *second, float *output) {
    int32_t index[4] = {0, 0, 0, 0};
    int32_t first_at = 0;
    int32_t second_at = 0;
    for (int32_t row = 0; row < params->rows; row++) {
        switch (params->operation) {
        case MQ_BINARY_ADD:
            mq_binary_f32_row(params, MQ_BINARY_ADD, first + first_at, second + second_at, output);
            break;
        case MQ_BINARY_SUB:
            mq_binary_f32_row(params, MQ_BINARY_SUB, first + first_at, second + second_at, output);
            break;
        case MQ_BINARY_MUL:
            mq_binary_f32_row(params, MQ_BINARY_MUL, first + first_at, second + second_at, output);
            break;
        case MQ_BINARY_MINIMUM:
            mq_binary_f32_row(params, MQ_BINARY_MINIMUM, first + first_at, second + second_at, output);
            break;
        case MQ_BINARY_DIV:
            mq_binary_f32_row(params, MQ_BINARY_DIV, first + first_at, second + second_at, output);
            break;
        case MQ_BINARY_SQUARED_DIFFERENCE:
            mq_binary_f32_row(params, MQ_BINARY_SQUARED_DIFFERENCE, first + first_at, second + second_at,
                              output);
            break;
        default:
            mq_binary_f32_row(params, MQ_BINARY_MAXIMUM, first + first_at, second + second_at, output);
            break;
        }
        output += params->columns;
        const int32_t axis = mq_next_row(params->sizes, index);
        first_at += params->first_steps[axis];
        second_at += params->second_steps[axis];
    }
}

#endif
