/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: int8 product of two operands that broadcast on Helium.
 */
#ifndef MQ_MUL_S8_MVE_H
#define MQ_MUL_S8_MVE_H

#include "mq_walk.h"

typedef struct {
    int32_t rows;           /* of the output */
    int32_t columns;        /* elements of a row */
    int32_t sizes[4];       /* outer axes of the output */
    int32_t first_steps[4]; /* of the first operand, see mq_next_row */
    int32_t first_stride;   /* of the first operand along a row: 1 */
    int32_t first_zero_point;
    int32_t second_steps[4];
    int32_t second_stride; /* 1, or 0 if it is repeated */
    int32_t second_zero_point;
    int32_t output_zero_point;
    int32_t output_multiplier;
    int32_t output_shift;
    int32_t activation_min;
    int32_t activation_max;
} mq_mul_s8_mve_params_t;

/* One row. The function in assembly knows the params already. */
typedef void mq_mul_s8_mve_function_t(const int8_t *first,
                                      const int8_t *second,
                                      int8_t *output,
                                      const mq_mul_s8_mve_params_t *params);

MQ_TWIN void mq_mul_s8_mve_twin(const int8_t *first,
                                const int8_t *second,
                                int8_t *output,
                                const mq_mul_s8_mve_params_t *params) {
    for (int32_t column = 0; column < params->columns; column++) {
        const int32_t a = *first - params->first_zero_point;
        const int32_t b = *second - params->second_zero_point;
        *output++ =
            mq_requantize_to_int8(a * b, params->output_multiplier, params->output_shift,
                                  params->output_zero_point, params->activation_min, params->activation_max);
        first += params->first_stride;
        second += params->second_stride;
    }
}

/* output [rows][columns]. An operand that is not repeated may lie where the output does. */
MQ_KERNEL void mq_mul_s8_mve(const mq_mul_s8_mve_params_t *params,
                             mq_mul_s8_mve_function_t *one_row,
                             const int8_t *first,
                             const int8_t *second,
                             int8_t *output) {
    int32_t index[4] = {0, 0, 0, 0};
    int32_t first_at = 0;
    int32_t second_at = 0;
    for (int32_t row = 0; row < params->rows; row++) {
        one_row(first + first_at, second + second_at, output, params);
        const int32_t axis = mq_next_row(params->sizes, index);
        first_at += params->first_steps[axis];
        second_at += params->second_steps[axis];
        output += params->columns;
    }
}

#endif
