/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: int8 running sums along one axis, any CPU. Works in place.
 * The input's zero_point is 0. ARITHMETIC section 21.
 */
#ifndef MQ_CUMSUM_S8_H
#define MQ_CUMSUM_S8_H

#include "mq_common.h"

typedef struct {
    int32_t outer;
    int32_t size; /* of the axis */
    int32_t inner;
    int32_t exclusive;  /* 1: an element is no part of its own sum */
    int32_t reverse;    /* 1: from the end on */
    int32_t multiplier; /* of sums in 2^-19 of the input's steps */
    int32_t shift;
    int32_t output_zero_point;
} mq_cumsum_s8_params_t;

/* input, output [outer][size][inner]. */
MQ_KERNEL void mq_cumsum_s8(const mq_cumsum_s8_params_t *params, const int8_t *input, int8_t *output) {
    const int32_t first = params->reverse ? (params->size - 1) * params->inner : 0;
    const int32_t step = params->reverse ? -params->inner : params->inner;
    for (int32_t outer = 0; outer < params->outer; outer++) {
        for (int32_t inner = 0; inner < params->inner; inner++) {
            int32_t at = outer * params->size * params->inner + first + inner;
            int32_t before = 0;
            for (int32_t i = 0; i < params->size; i++) {
                const int32_t sum = before + input[at] * ((int32_t)1 << 19);
                output[at] =
                    mq_requantize_to_int8(params->exclusive ? before : sum, params->multiplier, params->shift,
                                          params->output_zero_point, INT8_MIN, INT8_MAX);
                before = sum;
                at += step;
            }
        }
    }
}

#endif
