/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: int8 mean over one run of axes, four channels at once (Cortex-M4, M7, M33).
 */
#ifndef MQ_MEAN_S8_DSP_H
#define MQ_MEAN_S8_DSP_H

#include "mq_pixel_sums.h"

typedef struct {
    int32_t outer;
    int32_t reduced;
    int32_t inner;
    int32_t start; /* -zero_point(input) * reduced: the accumulator before any element */
    int32_t multiplier;
    int32_t shift;
    int32_t output_zero_point;
} mq_mean_s8_dsp_params_t;

static inline int8_t mq_mean_s8_dsp_result(const mq_mean_s8_dsp_params_t *params, int32_t sum) {
    return mq_requantize_to_int8(sum, params->multiplier, params->shift, params->output_zero_point, INT8_MIN,
                                 INT8_MAX);
}

/* input [outer][reduced][inner], output [outer][inner]. */
MQ_KERNEL void mq_mean_s8_dsp(const mq_mean_s8_dsp_params_t *params, const int8_t *input, int8_t *output) {
    for (int32_t outer = 0; outer < params->outer; outer++) {
        int32_t channel = 0;
        for (; channel + 4 <= params->inner; channel += 4) {
            int32_t sums[4] = {params->start, params->start, params->start, params->start};
            mq_add_pixels(sums, input + channel, params->inner, params->reduced);
            for (int32_t i = 0; i < 4; i++) {
                output[channel + i] = mq_mean_s8_dsp_result(params, sums[i]);
            }
        }
        for (; channel < params->inner; channel++) {
            const int32_t sum =
                mq_sum_pixels_1(params->start, input + channel, params->inner, params->reduced);
            output[channel] = mq_mean_s8_dsp_result(params, sum);
        }
        input += params->reduced * params->inner;
        output += params->inner;
    }
}

#endif
