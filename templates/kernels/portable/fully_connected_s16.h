/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: fully connected, int16 activations and int8 weights, any CPU.
 */
#ifndef MQ_FULLY_CONNECTED_S16_H
#define MQ_FULLY_CONNECTED_S16_H

#include "mq_s16.h"

typedef struct {
    int32_t rows;        /* independent input rows */
    int32_t input_size;  /* elements of a row */
    int32_t output_size; /* outputs of a row */
    int32_t is_int64;    /* the accumulator, see mq_s16_output */
    int32_t narrow;      /* 1: sums without the bias fit int32, or wrap */
    int32_t bias_words;  /* 1 or 2, of each bias */
    int32_t activation_min;
    int32_t activation_max;
} mq_fully_connected_s16_params_t;

/* input [rows][input_size], weights [output_size][input_size], output [rows][output_size];
 * bias [output_size][bias_words], multiplier, shift [output_size].
 */
MQ_KERNEL void mq_fully_connected_s16(const mq_fully_connected_s16_params_t *params,
                                      const int16_t *input,
                                      const int8_t *weights,
                                      const int32_t *bias,
                                      const int32_t *multiplier,
                                      const int8_t *shift,
                                      int16_t *output) {
    const int32_t units = params->output_size;
    for (int32_t row = 0; row < params->rows; row++) {
        int32_t outputs;
        for (int32_t unit = 0; unit < units; unit += outputs) {
            mq_s16_sums_t sums;
            outputs = units - unit < MQ_DOT_OUTPUTS ? 1 : MQ_DOT_OUTPUTS;
            mq_s16_start(&sums, outputs, bias, params->bias_words, unit);
            mq_s16_add_dots(&sums, outputs, input, weights + unit * params->input_size, params->input_size,
                            params->input_size, params->narrow);
            mq_s16_collect(&sums, outputs);
            for (int32_t i = 0; i < outputs; i++) {
                *output++ = mq_s16_output(sums.sum[i], multiplier[unit + i], shift[unit + i],
                                          params->is_int64, params->activation_min, params->activation_max);
            }
        }
        input += params->input_size;
    }
}

#endif
