/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: float32 running sums along one axis, any CPU. Works in place.
 */
#ifndef MQ_CUMSUM_F32_H
#define MQ_CUMSUM_F32_H

#include "mq_float.h"

typedef struct {
    int32_t outer;
    int32_t size; /* of the axis */
    int32_t inner;
    int32_t exclusive; /* 1: an element is no part of its own sum */
    int32_t reverse;   /* 1: from the end on */
} mq_cumsum_f32_params_t;

/* input, output [outer][size][inner]. */
MQ_KERNEL void mq_cumsum_f32(const mq_cumsum_f32_params_t *params, const float *input, float *output) {
    const int32_t first = params->reverse ? (params->size - 1) * params->inner : 0;
    const int32_t step = params->reverse ? -params->inner : params->inner;
    for (int32_t outer = 0; outer < params->outer; outer++) {
        for (int32_t inner = 0; inner < params->inner; inner++) {
            int32_t at = outer * params->size * params->inner + first + inner;
            float before = 0.0f;
            for (int32_t i = 0; i < params->size; i++) {
                const float sum = before + input[at];
                output[at] = params->exclusive ? before : sum;
                before = sum;
                at += step;
            }
        }
    }
}

#endif
