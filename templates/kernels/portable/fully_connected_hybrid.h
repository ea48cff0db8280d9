/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: hybrid fully connected layer, any CPU: float32 in and out, int8 weights, sums of integers.
 */
#ifndef MQ_FULLY_CONNECTED_HYBRID_H
#define MQ_FULLY_CONNECTED_HYBRID_H

#include "mq_hybrid.h"

typedef struct {
    int32_t rows;
    int32_t input_size;
    int32_t output_size;
    int32_t asymmetric; /* how a row is quantized: 1 with a zero_point, 0 without */
    float activation_min;
    float activation_max;
} mq_fully_connected_hybrid_params_t;

/* input [rows][input_size], weights [output_size][input_size], output [rows][output_size];
 * scale, bias [output_size]. scratch [input_size] may begin where input does.
 */
MQ_KERNEL void mq_fully_connected_hybrid(const mq_fully_connected_hybrid_params_t *params,
                                         const float *input,
                                         const int8_t *weights,
                                         const float *scale,
                                         const float *bias,
                                         int8_t *scratch,
                                         float *output) {
    const int32_t units = params->output_size;
    for (int32_t row = 0; row < params->rows; row++) {
        const mq_hybrid_quant_t quant =
            mq_hybrid_quantize(input, params->input_size, params->asymmetric, scratch);
        int32_t outputs;
        for (int32_t unit = 0; unit < units; unit += outputs) {
            int32_t acc[MQ_DOT_OUTPUTS] = {0, 0, 0, 0};
            outputs = units - unit < MQ_DOT_OUTPUTS ? 1 : MQ_DOT_OUTPUTS;
            mq_dot(acc, outputs, scratch, quant.zero_point, weights + unit * params->input_size,
                   params->input_size, params->input_size);
            for (int32_t i = 0; i < outputs; i++) {
                *output++ = mq_hybrid_output(acc[i], quant, scale[unit + i], bias[unit + i],
                                             params->activation_min, params->activation_max);
            }
        }
        input += params->input_size;
    }
}

#endif
