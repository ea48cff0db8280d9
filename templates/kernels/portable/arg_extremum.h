/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: where along an axis the largest or smallest integer is, any CPU.
 */
#ifndef MQ_ARG_EXTREMUM_H
#define MQ_ARG_EXTREMUM_H

#include "mq_common.h"

typedef struct {
    int32_t outer;         /* product of the sizes in front of the axis */
    int32_t size;          /* of the axis */
    int32_t inner;         /* product of the sizes behind it */
    int32_t maximum;       /* 1: the largest, 0: the smallest; the first of equals */
    int32_t index_bytes;   /* of an output: 4 (int32) or 8 (int64) */
    int32_t element_bytes; /* of an input: 1 (int8, bool) or 4 (int32) */
} mq_arg_extremum_params_t;

static inline int32_t mq_arg_extremum_load(const uint8_t *input, int32_t element_bytes, int32_t at) {
    int32_t value;
    if (element_bytes == 1) {
        int8_t narrow;
        memcpy(&narrow, input + at, sizeof narrow);
        return narrow;
    }
    memcpy(&value, input + at * 4, sizeof value);
    return value;
}

/* input [outer][size][inner], output [outer][inner]. */
MQ_KERNEL void mq_arg_extremum(const mq_arg_extremum_params_t *params, const void *input, void *output) {
    uint8_t *to = (uint8_t *)output;
    for (int32_t outer = 0; outer < params->outer; outer++) {
        for (int32_t inner = 0; inner < params->inner; inner++) {
            const int32_t first = outer * params->size * params->inner + inner;
            int32_t best = mq_arg_extremum_load((const uint8_t *)input, params->element_bytes, first);
            int64_t index = 0;
            for (int32_t k = 1; k < params->size; k++) {
                const int32_t value = mq_arg_extremum_load((const uint8_t *)input, params->element_bytes,
                                                           first + k * params->inner);
                if (params->maximum ? value > best : value < best) {
                    best = value;
                    index = k;
                }
            }
            memcpy(to, &index, (size_t)params->index_bytes); /* little-endian */
            to += params->index_bytes;
        }
    }
}

#endif
