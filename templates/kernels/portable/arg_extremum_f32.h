/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: where along an axis the largest or smallest float32 is, any CPU.
 */
#ifndef MQ_ARG_EXTREMUM_F32_H
#define MQ_ARG_EXTREMUM_F32_H

#include "mq_common.h"

typedef struct {
    int32_t outer;       /* product of the sizes in front of the axis */
    int32_t size;        /* of the axis */
    int32_t inner;       /* product of the sizes behind it */
    int32_t maximum;     /* 1: the largest, 0: the smallest; the first of equals; NaN only if it is first */
    int32_t index_bytes; /* of an output: 4 (int32) or 8 (int64) */
} mq_arg_extremum_f32_params_t;

/* input [outer][size][inner], output [outer][inner]. */
MQ_KERNEL void
mq_arg_extremum_f32(const mq_arg_extremum_f32_params_t *params, const float *input, void *output) {
    uint8_t *to = (uint8_t *)output;
    for (int32_t outer = 0; outer < params->outer; outer++) {
        for (int32_t inner = 0; inner < params->inner; inner++) {
            const int32_t first = outer * params->size * params->inner + inner;
            float best = input[first];
            int64_t index = 0;
            for (int32_t k = 1; k < params->size; k++) {
                const float value = input[first + k * params->inner];
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
