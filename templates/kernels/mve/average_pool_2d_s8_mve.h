/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: int8 average pooling on Helium, windows inside the input.
 */
#ifndef MQ_AVERAGE_POOL_2D_S8_MVE_H
#define MQ_AVERAGE_POOL_2D_S8_MVE_H

#include "mq_mve.h"

typedef struct {
    int32_t input_w;
    int32_t channels;
    int32_t filter_h;
    int32_t filter_w;
    int32_t output_h;
    int32_t output_w;
    int32_t stride_h;
    int32_t stride_w;
    int32_t activation_min;
    int32_t activation_max;
} mq_average_pool_2d_s8_mve_params_t;

/* One window. */
typedef void mq_average_pool_2d_s8_mve_function_t(const int8_t *window,
                                                  int8_t *output,
                                                  const mq_average_pool_2d_s8_mve_params_t *params);

MQ_TWIN void mq_average_pool_2d_s8_mve_twin(const int8_t *window,
                                            int8_t *output,
                                            const mq_average_pool_2d_s8_mve_params_t *params) {
    const int32_t count = params->filter_h * params->filter_w;
    for (int32_t channel = 0; channel < params->channels; channel++) {
        int32_t sum = 0;
        for (int32_t i = 0; i < count; i++) {
            const int32_t pixel = i / params->filter_w * params->input_w + i % params->filter_w;
            sum += window[pixel * params->channels + channel];
        }
        /* Halves away from zero. */
        const int32_t mean = (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
        output[channel] = (int8_t)mq_clamp(mean, params->activation_min, params->activation_max);
    }
}

/* input NHWC, output NHWC. */
MQ_KERNEL void mq_average_pool_2d_s8_mve(const mq_average_pool_2d_s8_mve_params_t *params,
                                         const int8_t *input,
                                         mq_average_pool_2d_s8_mve_function_t *window,
                                         int8_t *output) {
    for (int32_t y = 0; y < params->output_h; y++) {
        const int8_t *corner = input + y * params->stride_h * params->input_w * params->channels;
        for (int32_t x = 0; x < params->output_w; x++) {
            window(corner, output, params);
            corner += params->stride_w * params->channels;
            output += params->channels;
        }
    }
}

#endif
