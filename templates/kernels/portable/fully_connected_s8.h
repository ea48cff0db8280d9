/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: int8 fully connected, any CPU.
 */
#ifndef MQ_FULLY_CONNECTED_S8_H
#define MQ_FULLY_CONNECTED_S8_H

#include "mq_common.h"

typedef struct {
    int32_t rows;        /* independent input rows */
    int32_t input_size;  /* elements of a row */
    int32_t output_size; /* outputs of a row */
    int32_t input_zero_point;
    int32_t output_zero_point;
    int32_t activation_min;
    int32_t activation_max;
} mq_fully_connected_s8_params_t;

/* input [rows][input_size], weights [output_size][input_size], output [rows][output_size];
 * bias, multiplier, shift [output_size].
 */
MQ_KERNEL void mq_fully_connected_s8(const mq_fully_connected_s8_params_t *params,
                                     const int8_t *input,
                                     const int8_t *weights,
                                     const int32_t *bias,
                                     const int32_t *multiplier,
                                     const int8_t *shift,
                                     int8_t *output) {
    const int32_t units = params->output_size;
    for (int32_t row = 0; row < params->rows; row++) {
        int32_t outputs;
        for (int32_t unit = 0; unit < units; unit += outputs) {
            int32_t acc[MQ_DOT_OUTPUTS];
            outputs = units - unit < MQ_DOT_OUTPUTS ? 1 : MQ_DOT_OUTPUTS;
            for (int32_t i = 0; i < outputs; i++) {
                acc[i] = bias[unit + i];
            }
            mq_dot(acc, outputs, input, params->input_zero_point, weights + unit * params->input_size,
                   params->input_size, params->input_size);
            for (int32_t i = 0; i < outputs; i++) {
                *output++ = mq_requantize_to_int8(acc[i], multiplier[unit + i], shift[unit + i],
                                                  params->output_zero_point, params->activation_min,
                                                  params->activation_max);
            }
        }
        input += params->input_size;
    }
}

#endif
