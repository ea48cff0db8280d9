/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: float32 fully connected layer, any CPU; weights float32, half or int8.
 */
#ifndef MQ_FULLY_CONNECTED_F32_H
#define MQ_FULLY_CONNECTED_F32_H

#include "mq_float_weights.h"

typedef struct {
    int32_t rows;
    int32_t input_size;
    int32_t output_size;
    int32_t storage; /* MQ_WEIGHTS_… */
    float activation_min;
    float activation_max;
} mq_fully_connected_f32_params_t;

/* input [rows][input_size], weights [output_size][input_size], output [rows][output_size];
 * scale, bias [output_size].
 */
MQ_KERNEL void mq_fully_connected_f32(const mq_fully_connected_f32_params_t *params,
                                      const float *input,
                                      const void *weights,
                                      const float *scale,
                                      const float *bias,
                                      float *output) {
    const int32_t units = params->output_size;
    for (int32_t row = 0; row < params->rows; row++) {
        int32_t outputs;
        for (int32_t unit = 0; unit < units; unit += outputs) {
            float acc[MQ_DOT_OUTPUTS] = {0.0f, 0.0f, 0.0f, 0.0f};
            outputs = units - unit < MQ_DOT_OUTPUTS ? 1 : MQ_DOT_OUTPUTS;
            mq_dot_float(acc, outputs, input, weights, params->storage, unit * params->input_size,
                         params->input_size, params->input_size);
            for (int32_t i = 0; i < outputs; i++) {
                *output++ = mq_linear_output_f32(acc[i], params->storage, scale + unit + i, bias + unit + i,
                                                 params->activation_min, params->activation_max);
            }
        }
        input += params->input_size;
    }
}

#endif
