/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: the steps of recurrent layers of int16 activations. ARITHMETIC section 26.
 */
#ifndef MQ_GATES_S16_H
#define MQ_GATES_S16_H

#include "mq_gates.h"
#include "mq_s16.h"

/* One product of all sums: weights [rows][size]; bias, of one or two words each, multiplier and shift to
 * steps of 2^-12 [rows]. narrow: see mq_s16_add_dots.
 */
typedef struct {
    int32_t size;
    const int8_t *weights;
    const int32_t *bias;
    const int32_t *multiplier;
    const int8_t *shift;
    int32_t bias_words;
    int32_t narrow;
} mq_gates_s16_product_t;

typedef struct {
    int32_t units;
    mq_gates_s16_product_t input;
    mq_gates_s16_product_t recurrent;
    int32_t multiplier; /* from the hidden state to the output */
    int32_t shift;
    const uint16_t *table; /* see mq_sigmoid_value */
} mq_gates_s16_layer_t;

static inline int16_t mq_gates_s16_output(const mq_gates_s16_layer_t *layer, int32_t hidden) {
    return (int16_t)mq_clamp(mq_requantize(hidden, layer->multiplier, layer->shift), INT16_MIN, INT16_MAX);
}

/* sums[i], or (adds) what is added to it, of the rows from `first` on. */
static inline void mq_gates_s16_sums(int32_t *sums,
                                     int32_t count,
                                     const mq_gates_s16_product_t *product,
                                     int32_t first,
                                     const int16_t *x,
                                     int32_t adds) {
    const int32_t size = product->size;
    int32_t outputs;
    for (int32_t row = first; row < first + count; row += outputs) {
        mq_s16_sums_t acc;
        outputs = first + count - row < MQ_DOT_OUTPUTS ? 1 : MQ_DOT_OUTPUTS;
        mq_s16_start(&acc, outputs, product->bias, product->bias_words, row);
        mq_s16_add_dots(&acc, outputs, x, product->weights + row * size, size, size, product->narrow);
        mq_s16_collect(&acc, outputs);
        for (int32_t i = 0; i < outputs; i++) {
            const int32_t sum =
                mq_requantize_int64(acc.sum[i], product->multiplier[row + i], product->shift[row + i]);
            *sums = sum + (adds ? *sums : 0);
            sums++;
        }
    }
}

/* A step of a simple recurrent layer: before [units] the hidden state as the output has it, hidden [units] in
 * steps of 2^-15, output [units] after the step, which may be where `before` is.
 * sums [units].
 */
static inline void mq_simple_rnn_s16_step(const mq_gates_s16_layer_t *layer,
                                          const int16_t *x,
                                          const int16_t *before,
                                          int32_t *sums,
                                          int16_t *hidden,
                                          int16_t *output) {
    mq_gates_s16_sums(sums, layer->units, &layer->input, 0, x, 0);
    mq_gates_s16_sums(sums, layer->units, &layer->recurrent, 0, before, 1);
    for (int32_t unit = 0; unit < layer->units; unit++) {
        hidden[unit] = (int16_t)mq_gate_tanh(sums[unit], layer->table);
        output[unit] = mq_gates_s16_output(layer, hidden[unit]);
    }
}

/* A step of gated recurrent units. sums [4 * units]: update gate, reset gate, candidate, and what the reset
 * gate scales. reset [units]: where that is the hidden state, else unused. output may be where `before` is.
 */
static inline void mq_gru_s16_step(const mq_gates_s16_layer_t *layer,
                                   int32_t reset_after,
                                   const int16_t *x,
                                   const int16_t *before,
                                   int32_t *sums,
                                   int16_t *reset,
                                   int16_t *hidden,
                                   int16_t *output) {
    const int32_t units = layer->units;
    int32_t *recurrent = sums + 3 * units;
    mq_gates_s16_sums(sums, 3 * units, &layer->input, 0, x, 0);
    mq_gates_s16_sums(sums, 2 * units, &layer->recurrent, 0, before, 1);
    for (int32_t unit = 0; unit < units; unit++) {
        int32_t *gate = sums + units + unit;
        *gate = mq_gate_sigmoid(*gate, layer->table);
        if (!reset_after) {
            reset[unit] = mq_gates_s16_output(layer, mq_q15_product(*gate, hidden[unit]));
        }
    }
    mq_gates_s16_sums(recurrent, units, &layer->recurrent, 2 * units, reset_after ? before : reset, 0);
    for (int32_t unit = 0; unit < units; unit++) {
        const int32_t inner =
            reset_after ? mq_gru_reset(sums[units + unit], recurrent[unit]) : recurrent[unit];
        const int32_t candidate = mq_gate_tanh(sums[2 * units + unit] + inner, layer->table);
        const int32_t update = mq_gate_sigmoid(sums[unit], layer->table);
        hidden[unit] = (int16_t)mq_gru_hidden(update, candidate, hidden[unit]);
        output[unit] = mq_gates_s16_output(layer, hidden[unit]);
    }
}

/* Before the first step: hidden [units] is 0 (starts_anew) or stays; before [units]: the same as the output
 * has it.
 */
static inline void
mq_gates_s16_start(const mq_gates_s16_layer_t *layer, int32_t starts_anew, int16_t *hidden, int16_t *before) {
    for (int32_t unit = 0; unit < layer->units; unit++) {
        hidden[unit] = starts_anew ? 0 : hidden[unit];
        before[unit] = mq_gates_s16_output(layer, hidden[unit]);
    }
}

#endif
