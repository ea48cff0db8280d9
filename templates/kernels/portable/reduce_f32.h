/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: float32 sum, mean, product, maximum or minimum over one or two of five axes, any CPU.
 */
#ifndef MQ_REDUCE_F32_H
#define MQ_REDUCE_F32_H

#include "mq_float.h"

/* The values of `operation`. */
#define MQ_REDUCE_SUM 0
#define MQ_REDUCE_MEAN 1
#define MQ_REDUCE_PROD 2
#define MQ_REDUCE_MAX 3
#define MQ_REDUCE_MIN 4

typedef struct {
    int32_t outer;
    int32_t reduced_1;
    int32_t middle;
    int32_t reduced_2;
    int32_t inner;
    int32_t operation; /* MQ_REDUCE_… */
} mq_reduce_f32_params_t;

/* operation is a literal, as the parameters are. */
MQ_SPECIALISED float mq_reduce_f32_of(int32_t operation, float a, float b) {
    switch (operation) {
    case MQ_REDUCE_PROD:
        return a * b;
    case MQ_REDUCE_MAX:
        return b > a ? b : a;
    case MQ_REDUCE_MIN:
        return b < a ? b : a;
    default:
        return a + b;
    }
}

/* input [outer][reduced_1][middle][reduced_2][inner], output [outer][middle][inner]. */
MQ_KERNEL void mq_reduce_f32(const mq_reduce_f32_params_t *params, const float *input, float *output) {
    const int32_t middle_elements = params->reduced_2 * params->inner;
    const int32_t block = params->middle * middle_elements;
    const float count = (float)(params->reduced_1 * params->reduced_2);
    for (int32_t outer = 0; outer < params->outer; outer++) {
        for (int32_t middle = 0; middle < params->middle; middle++) {
            for (int32_t inner = 0; inner < params->inner; inner++) {
                const float *in = input + middle * middle_elements + inner;
                /* In the order of memory, each sum rounded: other orders have other roundings. A sum begins
                 * at 0. */
                int32_t first = 1;
                float acc = 0.0f;
                for (int32_t i = 0; i < params->reduced_1; i++) {
                    for (int32_t j = 0; j < params->reduced_2; j++) {
                        const float next = in[i * block + j * params->inner];
                        const int32_t is_sum = params->operation <= MQ_REDUCE_MEAN;
                        acc =
                            first != 0 && is_sum == 0 ? next : mq_reduce_f32_of(params->operation, acc, next);
                        first = 0;
                    }
                }
                *output++ = params->operation == MQ_REDUCE_MEAN ? acc / count : acc;
            }
        }
        input += params->reduced_1 * block;
    }
}

#endif
