/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: int8 mean or sum over one or two of five axes, any CPU.
 */
#ifndef MQ_MEAN_S8_H
#define MQ_MEAN_S8_H

#include "mq_common.h"

typedef struct {
    int32_t outer;
    int32_t reduced_1;
    int32_t middle;
    int32_t reduced_2;
    int32_t inner;
    int32_t start; /* -zero_point(input) * count: the accumulator before any element */
    int32_t multiplier;
    int32_t shift;
    int32_t output_zero_point;
} mq_mean_s8_params_t;

/* input [outer][reduced_1][middle][reduced_2][inner], output [outer][middle][inner]. */
MQ_KERNEL void mq_mean_s8(const mq_mean_s8_params_t *params, const int8_t *input, int8_t *output) {
    const int32_t middle_elements = params->reduced_2 * params->inner;
    const int32_t block = params->middle * middle_elements;
    for (int32_t outer = 0; outer < params->outer; outer++) {
        for (int32_t middle = 0; middle < params->middle; middle++) {
            for (int32_t inner = 0; inner < params->inner; inner++) {
                const int8_t *in = input + middle * middle_elements + inner;
                int32_t acc = params->start;
                for (int32_t i = 0; i < params->reduced_1; i++) {
                    for (int32_t j = 0; j < params->reduced_2; j++) {
                        acc += in[i * block + j * params->inner];
                    }
                }
                *output++ = mq_requantize_to_int8(acc, params->multiplier, params->shift,
                                                  params->output_zero_point, INT8_MIN, INT8_MAX);
            }
        }
        input += params->reduced_1 * block;
    }
}

#endif
