/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: hybrid fully connected layer, eight units at once, for the DSP extension.
 */
#ifndef MQ_FULLY_CONNECTED_DSP_HYBRID_H
#define MQ_FULLY_CONNECTED_DSP_HYBRID_H

#include "mq_dsp_s16.h"
#include "mq_hybrid.h"

typedef struct {
    int32_t rows;
    int32_t input_size; /* a multiple of four */
    int32_t output_size;
    int32_t asymmetric; /* how a row is quantized: 1 with a zero_point, 0 without */
    float activation_min;
    float activation_max;
} mq_fully_connected_dsp_hybrid_params_t;

/* input [rows][input_size], output [rows][output_size]; blocks: kernels/dsp/packed_s16.py; scale, bias
 * [output_size]. scratch [input_size] int16 may begin where input does.
 */
MQ_KERNEL void mq_fully_connected_dsp_hybrid(const mq_fully_connected_dsp_hybrid_params_t *params,
                                             const float *input,
                                             const int32_t *blocks,
                                             const float *scale,
                                             const float *bias,
                                             int8_t *scratch,
                                             mq_s16_sums_function_t *add_products,
                                             float *output) {
    int16_t *steps = (int16_t *)(void *)scratch;
    const int32_t units = params->output_size;
    for (int32_t row = 0; row < params->rows; row++) {
        const mq_hybrid_quant_t quant = mq_hybrid_steps(input, params->input_size, params->asymmetric, steps);
        const int32_t *block = blocks;
        for (int32_t unit = 0; unit < units; unit += 8) {
            const int32_t some = mq_min(units - unit, 8);
            int32_t sums[8] = {0};
            add_products(steps, block, params->input_size / 4, sums);
            block += 2 * params->input_size;
            for (int32_t i = 0; i < some; i++) {
                *output++ = mq_hybrid_output(sums[i], quant, scale[unit + i], bias[unit + i],
                                             params->activation_min, params->activation_max);
            }
        }
        input += params->input_size;
    }
}

#endif
