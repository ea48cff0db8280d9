/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: the steps of an LSTM layer of int16 activations. ARITHMETIC section 25.
 */
#ifndef MQ_LSTM_STEPS_S16_H
#define MQ_LSTM_STEPS_S16_H

#include "mq_dsp_dots.h"
#include "mq_lstm.h"
#include "mq_s16.h"

/* What a step reads. Weights and biases: for each unit of its four gates. */
typedef struct {
    int32_t input_size;
    int32_t units;
    int32_t narrow;     /* 1: sums without the bias fit int32 */
    int32_t bias_words; /* 1 or 2, of each bias */
    const int8_t *weights;
    const int8_t *recurrent_weights;
    const int32_t *bias;
    const int32_t *input_multiplier;     /* [4]: of sums, to steps of 2^-12 */
    const int32_t *input_shift;          /* [4] */
    const int32_t *recurrent_multiplier; /* [4] */
    const int32_t *recurrent_shift;      /* [4] */
} mq_lstm_s16_layer_t;

/* Adds a unit's four sums. by_words: a literal, 1: four factors at once, and all sums are narrow. */
MQ_SPECIALISED void mq_lstm_s16_add(mq_s16_sums_t *sums,
                                    const int16_t *x,
                                    const int8_t *weights,
                                    int32_t size,
                                    int32_t narrow,
                                    int32_t by_words) {
    if (by_words) {
        mq_dsp_dots_s16(sums->low, x, weights, size, size);
    } else {
        mq_s16_add_dots(sums, MQ_LSTM_GATES, x, weights, size, size, narrow);
    }
    mq_s16_collect(sums, MQ_LSTM_GATES);
}

/* One step: x [input_size], before [units] the hidden state before it, cell [units], hidden [units] after it.
 */
MQ_SPECIALISED void mq_lstm_s16_step(const mq_lstm_s16_layer_t *layer,
                                     const mq_lstm_cell_t *how,
                                     const int16_t *x,
                                     const int16_t *before,
                                     int16_t *cell,
                                     int16_t *hidden,
                                     int32_t by_words) {
    const int32_t size = layer->input_size;
    const int32_t units = layer->units;
    for (int32_t unit = 0; unit < units; unit++) {
        const int32_t first = MQ_LSTM_GATES * unit;
        int32_t gate[MQ_LSTM_GATES];
        mq_s16_sums_t sums;
        mq_s16_sums_t recurrent = {{0, 0, 0, 0}, {0, 0, 0, 0}};
        mq_s16_start(&sums, MQ_LSTM_GATES, layer->bias, layer->bias_words, first);
        mq_lstm_s16_add(&sums, x, layer->weights + first * size, size, layer->narrow, by_words);
        mq_lstm_s16_add(&recurrent, before, layer->recurrent_weights + first * units, units, layer->narrow,
                        by_words);
        for (int32_t i = 0; i < MQ_LSTM_GATES; i++) {
            gate[i] = mq_s16_output(sums.sum[i], layer->input_multiplier[i], layer->input_shift[i], 1,
                                    INT16_MIN, INT16_MAX) +
                      mq_s16_output(recurrent.sum[i], layer->recurrent_multiplier[i],
                                    layer->recurrent_shift[i], 1, INT16_MIN, INT16_MAX);
        }
        hidden[unit] = (int16_t)mq_ssat16(mq_lstm_unit(how, gate, cell + unit));
    }
}

/* All steps, as mq_lstm_s8_run. */
MQ_SPECIALISED void mq_lstm_s16_run(const mq_lstm_s16_layer_t *layer,
                                    const mq_lstm_cell_t *how,
                                    int32_t steps,
                                    int32_t starts_anew,
                                    int32_t sequences,
                                    const int16_t *input,
                                    int16_t *output,
                                    int16_t *hidden,
                                    int16_t *cell,
                                    int32_t by_words) {
    const size_t state_bytes = (size_t)layer->units * sizeof *hidden;
    const int16_t *before = hidden;
    if (starts_anew) {
        memset(hidden, 0, state_bytes);
        memset(cell, 0, state_bytes);
    }
    for (int32_t step = 0; step < steps; step++) {
        mq_lstm_s16_step(layer, how, input, before, cell, output, by_words);
        input += layer->input_size;
        if (sequences) {
            before = output;
            output += layer->units;
        } else {
            memcpy(hidden, output, state_bytes);
        }
    }
    if (sequences) {
        memcpy(hidden, before, state_bytes);
    }
}

#endif
