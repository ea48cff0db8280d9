/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: LSTM layer of int16 activations, four factors at once (Cortex-M4, M7, M33). ARITHMETIC
 * section 25.
 */
#ifndef MQ_LSTM_S16_DSP_H
#define MQ_LSTM_S16_DSP_H

#include "mq_lstm_steps_s16.h"

typedef struct {
    int32_t steps;
    int32_t input_size;
    int32_t units;
    int32_t starts_anew;         /* 1: every run begins with states of 0 */
    int32_t sequences;           /* 0: the output is the last step alone */
    int32_t narrow;              /* 1: sums without the bias fit int32 */
    int32_t bias_words;          /* 1 or 2, of each bias */
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
} mq_lstm_s16_dsp_params_t;

/* input [steps][input_size], output [steps][units], or [units]; states hidden and cell [units], changed in
 * place. weights [units][4][input_size], recurrent_weights [units][4][units], bias [units][4][bias_words].
 */
MQ_KERNEL void mq_lstm_s16_dsp(const mq_lstm_s16_dsp_params_t *params,
                               const int16_t *input,
                               const int8_t *weights,
                               const int8_t *recurrent_weights,
                               const int32_t *bias,
                               const uint16_t *sigmoid,
                               int16_t *output,
                               int16_t *hidden,
                               int16_t *cell) {
    const mq_lstm_cell_t how = MQ_LSTM_CELL(params, sigmoid);
    const mq_lstm_s16_layer_t layer = {params->input_size,
                                       params->units,
                                       params->narrow,
                                       params->bias_words,
                                       weights,
                                       recurrent_weights,
                                       bias,
                                       params->input_multiplier,
                                       params->input_shift,
                                       params->recurrent_multiplier,
                                       params->recurrent_shift};
    mq_lstm_s16_run(&layer, &how, params->steps, params->starts_anew, params->sequences, input, output,
                    hidden, cell, 1);
}

#endif
