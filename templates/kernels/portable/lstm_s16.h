/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: LSTM layer of int16 activations and int8 weights, any CPU. ARITHMETIC section 25.
 */
#ifndef MQ_LSTM_S16_H
#define MQ_LSTM_S16_H

#include "mq_lstm.h"
#include "mq_s16.h"

typedef struct {
    int32_t steps;
    int32_t input_size;
    int32_t units;
    int32_t starts_anew;         /* 1: every run begins with states of 0 */
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
} mq_lstm_s16_params_t;

/* One step: x [input_size], before [units] the hidden state before it, cell [units], hidden [units] after it.
 */
MQ_KERNEL void mq_lstm_s16_step(const mq_lstm_s16_params_t *params,
                                const mq_lstm_cell_t *how,
                                const int8_t *weights,
                                const int8_t *recurrent_weights,
                                const int32_t *bias,
                                const int16_t *x,
                                const int16_t *before,
                                int16_t *cell,
                                int16_t *hidden) {
    const int32_t size = params->input_size;
    const int32_t units = params->units;
    for (int32_t unit = 0; unit < units; unit++) {
        const int32_t first = MQ_LSTM_GATES * unit;
        int32_t gate[MQ_LSTM_GATES];
        mq_s16_sums_t sums;
        mq_s16_sums_t recurrent = {{0, 0, 0, 0}, {0, 0, 0, 0}};
        mq_s16_start(&sums, MQ_LSTM_GATES, bias, params->bias_words, first);
        mq_s16_add_dots(&sums, MQ_LSTM_GATES, x, weights + first * size, size, size, params->narrow);
        mq_s16_collect(&sums, MQ_LSTM_GATES);
        mq_s16_add_dots(&recurrent, MQ_LSTM_GATES, before, recurrent_weights + first * units, units, units,
                        params->narrow);
        mq_s16_collect(&recurrent, MQ_LSTM_GATES);
        for (int32_t i = 0; i < MQ_LSTM_GATES; i++) {
            gate[i] = mq_s16_output(sums.sum[i], params->input_multiplier[i], params->input_shift[i], 1,
                                    INT16_MIN, INT16_MAX) +
                      mq_s16_output(recurrent.sum[i], params->recurrent_multiplier[i],
                                    params->recurrent_shift[i], 1, INT16_MIN, INT16_MAX);
        }
        hidden[unit] = (int16_t)mq_ssat16(mq_lstm_unit(how, gate, cell + unit));
    }
}

/* input [steps][input_size], output [steps][units]; states hidden and cell [units], changed in place.
 * weights [units][4][input_size], recurrent_weights [units][4][units], bias [units][4][bias_words].
 */
MQ_KERNEL void mq_lstm_s16(const mq_lstm_s16_params_t *params,
                           const int16_t *input,
                           const int8_t *weights,
                           const int8_t *recurrent_weights,
                           const int32_t *bias,
                           const uint16_t *sigmoid,
                           int16_t *output,
                           int16_t *hidden,
                           int16_t *cell) {
    const mq_lstm_cell_t how = MQ_LSTM_CELL(params, sigmoid);
    const size_t state_bytes = (size_t)params->units * sizeof *hidden;
    const int16_t *before = hidden;
    if (params->starts_anew) {
        memset(hidden, 0, state_bytes);
        memset(cell, 0, state_bytes);
    }
    for (int32_t step = 0; step < params->steps; step++) {
        mq_lstm_s16_step(params, &how, weights, recurrent_weights, bias, input, before, cell, output);
        before = output;
        input += params->input_size;
        output += params->units;
    }
    memcpy(hidden, before, state_bytes);
}

#endif
