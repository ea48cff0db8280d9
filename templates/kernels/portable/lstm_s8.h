/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: int8 LSTM layer, any CPU.
 */
#ifndef MQ_LSTM_S8_H
#define MQ_LSTM_S8_H

#include "mq_lstm_steps.h"

typedef struct {
    int32_t steps;
    int32_t input_size;
    int32_t units;
    int32_t starts_anew; /* 1: every run begins with states of 0 */
    int32_t sequences;   /* 0: the output is the last step alone */
    int32_t hidden_zero_point;
    int32_t input_multiplier[4]; /* of each gate's sums over the input, to steps of 2^-12 */
    int32_t input_shift[4];
    int32_t recurrent_multiplier[4]; /* over the hidden state */
    int32_t recurrent_shift[4];
    int32_t added_multiplier; /* see mq_lstm_cell_t */
    int32_t added_shift;
    int32_t hidden_multiplier;
    int32_t hidden_shift;
    int32_t tanh_multiplier;
    int32_t tanh_shift;
    int32_t cell_min;
    int32_t cell_max;
} mq_lstm_s8_params_t;

/* input [steps][input_size], output [steps][units], or [units]; states hidden and cell [units], changed in
 * place. weights [units][4][input_size], recurrent_weights [units][4][units], biases [units][4].
 */
MQ_KERNEL void mq_lstm_s8(const mq_lstm_s8_params_t *params,
                          const int8_t *input,
                          const int8_t *weights,
                          const int8_t *recurrent_weights,
                          const int32_t *bias,
                          const int32_t *recurrent_bias,
                          const uint16_t *sigmoid,
                          int8_t *output,
                          int8_t *hidden,
                          int16_t *cell) {
    const mq_lstm_cell_t how = MQ_LSTM_CELL(params, sigmoid);
    const mq_lstm_s8_layer_t layer = {params->input_size,
                                      params->units,
                                      params->hidden_zero_point,
                                      weights,
                                      recurrent_weights,
                                      bias,
                                      recurrent_bias,
                                      params->input_multiplier,
                                      params->input_shift,
                                      params->recurrent_multiplier,
                                      params->recurrent_shift};
    mq_lstm_s8_run(&layer, &how, params->steps, params->starts_anew, params->sequences, input, output, hidden,
                   cell, 0);
}

#endif
