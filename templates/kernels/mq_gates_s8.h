/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: the steps of int8 recurrent layers with a hidden state of 16 bits. ARITHMETIC section 26.
 */
#ifndef MQ_GATES_S8_H
#define MQ_GATES_S8_H

#include "mq_dsp_dots.h"
#include "mq_gates.h"

/* One product of all sums: weights [rows][size]; bias, which has the zero_point in it, multiplier and shift
 * to steps of 2^-12 [rows].
 */
typedef struct {
    int32_t size;
    const int8_t *weights;
    const int32_t *bias;
    const int32_t *multiplier;
    const int8_t *shift;
} mq_gates_s8_product_t;

/* How a hidden state becomes int8. */
typedef struct {
    int32_t multiplier;
    int32_t shift;
    int32_t zero_point;
} mq_gates_s8_output_t;

static inline int8_t mq_gates_s8_output(const mq_gates_s8_output_t *how, int32_t hidden) {
    return mq_requantize_to_int8(hidden, how->multiplier, how->shift, how->zero_point, INT8_MIN, INT8_MAX);
}

/* sums[i], or (adds) what is added to it, of the rows from `first` on. by_words: a literal, 1: four factors
 * at once (mq_dsp_dots).
 */
MQ_SPECIALISED void mq_gates_s8_sums(int32_t *sums,
                                     int32_t count,
                                     const mq_gates_s8_product_t *product,
                                     int32_t first,
                                     const int8_t *x,
                                     int32_t adds,
                                     int32_t by_words) {
    const int32_t size = product->size;
    int32_t outputs;
    for (int32_t row = first; row < first + count; row += outputs) {
        const int8_t *weights = product->weights + row * size;
        int32_t acc[MQ_DOT_OUTPUTS];
        outputs = first + count - row < MQ_DOT_OUTPUTS ? 1 : MQ_DOT_OUTPUTS;
        for (int32_t i = 0; i < outputs; i++) {
            acc[i] = product->bias[row + i];
        }
        if (by_words) {
            mq_dsp_dots(acc, outputs, x, weights, size, size, mq_dsp_minus(0, 0));
        } else {
            mq_dot(acc, outputs, x, 0, weights, size, size);
        }
        for (int32_t i = 0; i < outputs; i++) {
            const int32_t sum = mq_requantize(acc[i], product->multiplier[row + i], product->shift[row + i]);
            *sums = sum + (adds ? *sums : 0);
            sums++;
        }
    }
}

/* What one step of a layer reads and writes. input, recurrent: the products. before [units]: the hidden state
 * as the output has it, hidden [units] in 16 bits; output [units]: after the step. table: see
 * mq_sigmoid_value.
 */
typedef struct {
    int32_t units;
    mq_gates_s8_product_t input;
    mq_gates_s8_product_t recurrent;
    mq_gates_s8_output_t how;
    const uint16_t *table;
} mq_gates_s8_layer_t;

/* A step of a simple recurrent layer. sums [units]. output may be where `before` is. */
MQ_SPECIALISED void mq_simple_rnn_s8_step(const mq_gates_s8_layer_t *layer,
                                          const int8_t *x,
                                          const int8_t *before,
                                          int32_t *sums,
                                          int16_t *hidden,
                                          int8_t *output,
                                          int32_t by_words) {
    mq_gates_s8_sums(sums, layer->units, &layer->input, 0, x, 0, by_words);
    mq_gates_s8_sums(sums, layer->units, &layer->recurrent, 0, before, 1, by_words);
    for (int32_t unit = 0; unit < layer->units; unit++) {
        hidden[unit] = (int16_t)mq_gate_tanh(sums[unit], layer->table);
        output[unit] = mq_gates_s8_output(&layer->how, hidden[unit]);
    }
}

/* A step of gated recurrent units. sums [4 * units]: update gate, reset gate, candidate, and what the reset
 * gate scales. reset [units]: where that is the hidden state, else unused. output may be where `before` is.
 */
MQ_SPECIALISED void mq_gru_s8_step(const mq_gates_s8_layer_t *layer,
                                   int32_t reset_after,
                                   const int8_t *x,
                                   const int8_t *before,
                                   int32_t *sums,
                                   int8_t *reset,
                                   int16_t *hidden,
                                   int8_t *output,
                                   int32_t by_words) {
    const int32_t units = layer->units;
    int32_t *recurrent = sums + 3 * units;
    mq_gates_s8_sums(sums, 3 * units, &layer->input, 0, x, 0, by_words);
    mq_gates_s8_sums(sums, 2 * units, &layer->recurrent, 0, before, 1, by_words);
    for (int32_t unit = 0; unit < units; unit++) {
        int32_t *gate = sums + units + unit;
        *gate = mq_gate_sigmoid(*gate, layer->table);
        if (!reset_after) {
            reset[unit] = mq_gates_s8_output(&layer->how, mq_q15_product(*gate, hidden[unit]));
        }
    }
    mq_gates_s8_sums(recurrent, units, &layer->recurrent, 2 * units, reset_after ? before : reset, 0,
                     by_words);
    for (int32_t unit = 0; unit < units; unit++) {
        const int32_t inner =
            reset_after ? mq_gru_reset(sums[units + unit], recurrent[unit]) : recurrent[unit];
        const int32_t candidate = mq_gate_tanh(sums[2 * units + unit] + inner, layer->table);
        const int32_t update = mq_gate_sigmoid(sums[unit], layer->table);
        hidden[unit] = (int16_t)mq_gru_hidden(update, candidate, hidden[unit]);
        output[unit] = mq_gates_s8_output(&layer->how, hidden[unit]);
    }
}

/* Before the first step: hidden [units] is 0 (starts_anew) or stays; before [units]: the same as the output
 * has it.
 */
static inline void
mq_gates_s8_start(const mq_gates_s8_layer_t *layer, int32_t starts_anew, int16_t *hidden, int8_t *before) {
    for (int32_t unit = 0; unit < layer->units; unit++) {
        hidden[unit] = starts_anew ? 0 : hidden[unit];
        before[unit] = mq_gates_s8_output(&layer->how, hidden[unit]);
    }
}

/* All steps. input [steps][input.size], output [steps][units], or [units] where output_step is 0; hidden
 * [units] is changed in place. scratch: int32 [units], int8 [units].
 */
MQ_SPECIALISED void mq_simple_rnn_s8_run(const mq_gates_s8_layer_t *layer,
                                         int32_t starts_anew,
                                         int32_t steps,
                                         int32_t output_step,
                                         const int8_t *input,
                                         int8_t *scratch,
                                         int16_t *hidden,
                                         int8_t *output,
                                         int32_t by_words) {
    int32_t *sums = (int32_t *)(void *)scratch;
    int8_t *first = (int8_t *)(sums + layer->units);
    const int8_t *before = first;
    mq_gates_s8_start(layer, starts_anew, hidden, first);
    for (int32_t step = 0; step < steps; step++) {
        mq_simple_rnn_s8_step(layer, input, before, sums, hidden, output, by_words);
        before = output;
        input += layer->input.size;
        output += output_step;
    }
}

/* The same. scratch: int32 [4 * units], int8 [2 * units]. */
MQ_SPECIALISED void mq_gru_s8_run(const mq_gates_s8_layer_t *layer,
                                  int32_t reset_after,
                                  int32_t starts_anew,
                                  int32_t steps,
                                  int32_t output_step,
                                  const int8_t *input,
                                  int8_t *scratch,
                                  int16_t *hidden,
                                  int8_t *output,
                                  int32_t by_words) {
    int32_t *sums = (int32_t *)(void *)scratch;
    int8_t *reset = (int8_t *)(sums + 4 * layer->units);
    int8_t *first = reset + layer->units;
    const int8_t *before = first;
    mq_gates_s8_start(layer, starts_anew, hidden, first);
    for (int32_t step = 0; step < steps; step++) {
        mq_gru_s8_step(layer, reset_after, input, before, sums, reset, hidden, output, by_words);
        before = output;
        input += layer->input.size;
        output += output_step;
    }
}

#endif
