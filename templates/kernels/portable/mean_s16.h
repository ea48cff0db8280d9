/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: int16 mean or sum over one or two of five axes, any CPU.
 */
#ifndef MQ_MEAN_S16_H
#define MQ_MEAN_S16_H

#include "mq_common.h"

typedef struct {
    int32_t outer;
    int32_t reduced_1;
    int32_t middle;
    int32_t reduced_2;
    int32_t inner;
    int32_t multiplier;
    int32_t shift;
} mq_mean_s16_params_t;

/* input [outer][reduced_1][middle][reduced_2][inner], output [outer][middle][inner]. */
MQ_KERNEL void mq_mean_s16(const mq_mean_s16_params_t *params, const int16_t *input, int16_t *output) {
    const int32_t middle_elements = params->reduced_2 * params->inner;
    const int32_t block = params->middle * middle_elements;
    for (int32_t outer = 0; outer < params->outer; outer++) {
        for (int32_t middle = 0; middle < params->middle; middle++) {
            for (int32_t inner = 0; inner < params->inner; inner++) {
                const int16_t *in = input + middle * middle_elements + inner;
                int32_t acc = 0;
                for (int32_t i = 0; i < params->reduced_1; i++) {
                    for (int32_t j = 0; j < params->reduced_2; j++) {
                        acc += in[i * block + j * params->inner];
                    }
                }
                const int32_t mean = mq_requantize(acc, params->multiplier, params->shift);
                *output++ = (int16_t)mq_clamp(mean, INT16_MIN, INT16_MAX);
            }
        }
        input += params->reduced_1 * block;
    }
}

#endif
