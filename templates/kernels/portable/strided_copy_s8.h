/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: runs of bytes from places that are evenly spaced along up to five axes, any CPU. Slices,
 * transpositions and repetitions of elements of whatever type.
 */
#ifndef MQ_STRIDED_COPY_S8_H
#define MQ_STRIDED_COPY_S8_H

#include "mq_walk.h"

typedef struct {
    int32_t begin;    /* the first byte of the input */
    int32_t rows;     /* of the output */
    int32_t columns;  /* runs of a row */
    int32_t sizes[4]; /* outer axes of the output */
    int32_t steps[4]; /* of the input in bytes, see mq_next_row */
    int32_t stride;   /* of the input along a row, in bytes */
    int32_t run;      /* bytes that lie together */
} mq_strided_copy_s8_params_t;

/* The two may overlap where `from` is not below `to`. */
static inline void mq_strided_copy_s8_run(uint8_t *to, const uint8_t *from, size_t bytes) {
    if (bytes >= 8) {
        memmove(to, from, bytes);
        return;
    }
    for (size_t i = 0; i < bytes; i++) {
        to[i] = from[i];
    }
}

/* output [rows][columns][run]. */
MQ_KERNEL void
mq_strided_copy_s8(const mq_strided_copy_s8_params_t *params, const void *input, void *output) {
    const uint8_t *from = (const uint8_t *)input + params->begin;
    uint8_t *to = (uint8_t *)output;
    int32_t index[4] = {0, 0, 0, 0};
    int32_t start = 0;
    for (int32_t row = 0; row < params->rows; row++) {
        int32_t at = start;
        for (int32_t column = 0; column < params->columns; column++) {
            mq_strided_copy_s8_run(to, from + at, (size_t)params->run);
            to += params->run;
            at += params->stride;
        }
        start += params->steps[mq_next_row(params->sizes, index)];
    }
}

#endif
