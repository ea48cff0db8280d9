/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: elements of two bytes from places that are evenly spaced along up to five axes, any CPU.
 */
#ifndef MQ_STRIDED_COPY_S16_H
#define MQ_STRIDED_COPY_S16_H

#include "mq_walk.h"

typedef struct {
    int32_t begin;    /* the first element */
    int32_t rows;     /* of the output */
    int32_t columns;  /* elements of a row */
    int32_t sizes[4]; /* outer axes of the output */
    int32_t steps[4]; /* of the input, see mq_next_row */
    int32_t stride;   /* of the input along a row */
} mq_strided_copy_s16_params_t;

/* output [rows][columns]. */
MQ_KERNEL void
mq_strided_copy_s16(const mq_strided_copy_s16_params_t *params, const int16_t *input, int16_t *output) {
    int32_t index[4] = {0, 0, 0, 0};
    int32_t start = params->begin;
    for (int32_t row = 0; row < params->rows; row++) {
        int32_t at = start;
        for (int32_t column = 0; column < params->columns; column++) {
            *output++ = input[at];
            at += params->stride;
        }
        start += params->steps[mq_next_row(params->sizes, index)];
    }
}

#endif
