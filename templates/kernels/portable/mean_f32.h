/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: float32 mean over one or two of five axes, any CPU.
 */
#ifndef MQ_MEAN_F32_H
#define MQ_MEAN_F32_H

#include "mq_float.h"

typedef struct {
    int32_t outer;
    int32_t reduced_1;
    int32_t middle;
    int32_t reduced_2;
    int32_t inner;
} mq_mean_f32_params_t;

/* input [outer][reduced_1][middle][reduced_2][inner], output [outer][middle][inner]. */
MQ_KERNEL void mq_mean_f32(const mq_mean_f32_params_t *params, const float *input, float *output) {
    const int32_t middle_elements = params->reduced_2 * params->inner;
    const int32_t block = params->middle * middle_elements;
    const float count = (float)(params->reduced_1 * params->reduced_2);
    for (int32_t outer = 0; outer < params->outer; outer++) {
        for (int32_t middle = 0; middle < params->middle; middle++) {
            for (int32_t inner = 0; inner < params->inner; inner++) {
                const float *in = input + middle * middle_elements + inner;
                float acc = 0.0f;
                for (int32_t i = 0; i < params->reduced_1; i++) {
                    /* A sum of its own for each run, so that rounding errors do not add up over all. */
                    float run = 0.0f;
                    for (int32_t j = 0; j < params->reduced_2; j++) {
                        run += in[i * block + j * params->inner];
                    }
                    acc += run;
                }
                *output++ = acc / count;
            }
        }
        input += params->reduced_1 * block;
    }
}

#endif
