/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: the steps of an int8 LSTM layer. ARITHMETIC section 25.
 */
#ifndef MQ_LSTM_STEPS_H
#define MQ_LSTM_STEPS_H

#include "mq_dsp_dots.h"
#include "mq_lstm.h"

/* What a step reads. Weights and biases: for each unit of its four gates; zero_points are in the biases. */
typedef struct {
    int32_t input_size;
    int32_t units;
    int32_t zero_point; /* of the hidden state */
    const int8_t *weights;
    const int8_t *recurrent_weights;
    const int32_t *bias;
    const int32_t *recurrent_bias;
    const int32_t *input_multiplier;     /* [4]: of sums, to steps of 2^-12 */
    const int32_t *input_shift;          /* [4] */
    const int32_t *recurrent_multiplier; /* [4] */
    const int32_t *recurrent_shift;      /* [4] */
} mq_lstm_s8_layer_t;

/* The sums of a unit's four gates. by_words: a literal, 1: four factors at once (mq_dsp_dots). */
MQ_SPECIALISED void mq_lstm_s8_sums(int32_t *acc,
                                    const int32_t *bias,
                                    const int8_t *x,
                                    const int8_t *weights,
                                    int32_t size,
                                    int32_t by_words) {
    for (int32_t gate = 0; gate < MQ_LSTM_GATES; gate++) {
        acc[gate] = bias[gate];
    }
    if (by_words) {
        mq_dsp_dots(acc, MQ_LSTM_GATES, x, weights, size, size, mq_dsp_minus(0, 0));
    } else {
        mq_dot(acc, MQ_LSTM_GATES, x, 0, weights, size, size);
    }
}

/* One step: x [input_size], before [units] the hidden state before it, cell [units], hidden [units] after it.
 */
MQ_SPECIALISED void mq_lstm_s8_step(const mq_lstm_s8_layer_t *layer,
                                    const mq_lstm_cell_t *how,
                                    const int8_t *x,
                                    const int8_t *before,
                                    int16_t *cell,
                                    int8_t *hidden,
                                    int32_t by_words) {
    for (int32_t unit = 0; unit < layer->units; unit++) {
        const int32_t first = MQ_LSTM_GATES * unit;
        int32_t gate[MQ_LSTM_GATES];
        int32_t recurrent[MQ_LSTM_GATES];
        mq_lstm_s8_sums(gate, layer->bias + first, x, layer->weights + first * layer->input_size,
                        layer->input_size, by_words);
        mq_lstm_s8_sums(recurrent, layer->recurrent_bias + first, before,
                        layer->recurrent_weights + first * layer->units, layer->units, by_words);
        for (int32_t i = 0; i < MQ_LSTM_GATES; i++) {
            gate[i] = mq_ssat16(mq_requantize(gate[i], layer->input_multiplier[i], layer->input_shift[i])) +
                      mq_ssat16(mq_requantize(recurrent[i], layer->recurrent_multiplier[i],
                                              layer->recurrent_shift[i]));
        }
        const int32_t y = mq_lstm_unit(how, gate, cell + unit) + layer->zero_point;
        hidden[unit] = (int8_t)mq_clamp(y, INT8_MIN, INT8_MAX);
    }
}

/* All steps, from the states before the run to those after it, which are changed in place. input
 * [steps][input_size], output [steps][units], hidden and cell [units]. starts_anew: from 0, whatever they
 * hold.
 */
MQ_SPECIALISED void mq_lstm_s8_run(const mq_lstm_s8_layer_t *layer,
                                   const mq_lstm_cell_t *how,
                                   int32_t steps,
                                   int32_t starts_anew,
                                   int32_t sequences,
                                   const int8_t *input,
                                   int8_t *output,
                                   int8_t *hidden,
                                   int16_t *cell,
                                   int32_t by_words) {
    const int8_t *before = hidden;
    for (int32_t unit = 0; starts_anew && unit < layer->units; unit++) {
        hidden[unit] = (int8_t)layer->zero_point;
        cell[unit] = 0;
    }
    for (int32_t step = 0; step < steps; step++) {
        mq_lstm_s8_step(layer, how, input, before, cell, output, by_words);
        input += layer->input_size;
        if (sequences) {
            before = output;
            output += layer->units;
        } else {
            memcpy(hidden, output, (size_t)layer->units);
        }
    }
    if (sequences) {
        memcpy(hidden, before, (size_t)layer->units);
    }
}

#endif
