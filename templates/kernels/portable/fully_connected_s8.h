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
    int32_t output_zero_point;
    int32_t activation_min;
    int32_t activation_max;
} mq_fully_connected_s8_params_t;

/* input [rows][input_size], weights [output_size][input_size], output [rows][output_size].
 * bias [output_size] has -zero_point(input) * sum(weights) folded in.
 */
MQ_KERNEL void mq_fully_connected_s8(const mq_fully_connected_s8_params_t *params,
                                     const int8_t *input,
                                     const int8_t *weights,
                                     const int32_t *bias,
                                     const int32_t *multiplier,
                                     const int8_t *shift,
                                     int8_t *output) {
    for (int32_t row = 0; row < params->rows; row++) {
        const int8_t *w = weights;
        for (int32_t unit = 0; unit < params->output_size; unit++) {
            int32_t acc = bias[unit];
            for (int32_t k = 0; k < params->input_size; k++) {
                acc = mq_mac(acc, input[k], *w++);
            }
            acc = mq_requantize(acc, multiplier[unit], shift[unit]) + params->output_zero_point;
            *output++ = (int8_t)mq_clamp(acc, params->activation_min, params->activation_max);
        }
        input += params->input_size;
    }
}

#endif
