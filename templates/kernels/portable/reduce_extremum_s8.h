/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: int8 maximum or minimum over one or two of five axes, any CPU.
 * Of bytes that are 0 or 1: whether any is 1, or all are.
 */
#ifndef MQ_REDUCE_EXTREMUM_S8_H
#define MQ_REDUCE_EXTREMUM_S8_H

#include "mq_common.h"

typedef struct {
    int32_t outer;
    int32_t reduced_1;
    int32_t middle;
    int32_t reduced_2;
    int32_t inner;
    int32_t maximum; /* 1: the largest, 0: the smallest */
} mq_reduce_extremum_s8_params_t;

/* input [outer][reduced_1][middle][reduced_2][inner], output [outer][middle][inner]. */
MQ_KERNEL void
mq_reduce_extremum_s8(const mq_reduce_extremum_s8_params_t *params, const int8_t *input, int8_t *output) {
    const int32_t middle_elements = params->reduced_2 * params->inner;
    const int32_t block = params->middle * middle_elements;
    for (int32_t outer = 0; outer < params->outer; outer++) {
        for (int32_t middle = 0; middle < params->middle; middle++) {
            for (int32_t inner = 0; inner < params->inner; inner++) {
                const int8_t *in = input + middle * middle_elements + inner;
                int32_t extremum = *in;
                for (int32_t i = 0; i < params->reduced_1; i++) {
                    for (int32_t j = 0; j < params->reduced_2; j++) {
                        const int32_t value = in[i * block + j * params->inner];
                        extremum = params->maximum ? mq_max(extremum, value) : mq_min(extremum, value);
                    }
                }
                *output++ = (int8_t)extremum;
            }
        }
        input += params->reduced_1 * block;
    }
}

#endif
