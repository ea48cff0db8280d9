/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: what the kernels of integer LSTM layers share: all but the sums. ARITHMETIC section 25.
 * Of everything that a unit has for each gate there are four: input, forget, cell and output gate.
 */
#ifndef MQ_LSTM_H
#define MQ_LSTM_H

#include "mq_dsp.h"
#include "mq_sigmoid.h"

#define MQ_LSTM_GATES 4

/* How a unit's gates become its cell state and its hidden state. */
typedef struct {
    int32_t added_multiplier; /* of input gate * cell gate, to the cell state */
    int32_t added_shift;
    int32_t hidden_multiplier; /* of output gate * tanh(cell state), to the hidden state */
    int32_t hidden_shift;
    int32_t tanh_multiplier; /* of the cell state, to steps of 1 / 12288 */
    int32_t tanh_shift;      /* to the right */
    int32_t cell_min;
    int32_t cell_max;
    const uint16_t *sigmoid; /* see mq_sigmoid_value */
} mq_lstm_cell_t;

/* Of the fields of a kernel's parameters. */
#define MQ_LSTM_CELL(params, sigmoid) \
    {(params)->added_multiplier, (params)->added_shift,     (params)->hidden_multiplier, \
     (params)->hidden_shift,     (params)->tanh_multiplier, (params)->tanh_shift, \
     (params)->cell_min,         (params)->cell_max,        (sigmoid)}

/* gate [4]: what each gate takes, in steps of 2^-12: two parts of 16 bits, added. Changes the cell state and
 * returns the hidden state less its zero_point, unlimited.
 */
static inline int32_t mq_lstm_unit(const mq_lstm_cell_t *how, const int32_t *gate, int16_t *cell) {
    const uint16_t *table = how->sigmoid;
    const int32_t input = mq_sigmoid_value(3 * mq_ssat16(gate[0]), table, 0);
    const int32_t forget = mq_sigmoid_value(3 * mq_ssat16(gate[1]), table, 0);
    const int32_t change = mq_sigmoid_value(3 * mq_ssat16(gate[2]), table, 1);
    const int32_t output = mq_sigmoid_value(3 * mq_ssat16(gate[3]), table, 0);
    const int32_t kept = mq_requantize(forget * *cell, (int32_t)1 << 30, -14); /* times 2^-15 */
    const int32_t added = mq_requantize(input * change, how->added_multiplier, how->added_shift);
    const int32_t sum = mq_ssat16(mq_ssat16(kept) + mq_ssat16(added));
    const int32_t state = mq_clamp(sum, how->cell_min, how->cell_max);
    const int32_t half = how->tanh_shift > 0 ? (int32_t)1 << (how->tanh_shift - 1) : 0;
    const int32_t steps = (state * how->tanh_multiplier + half) >> how->tanh_shift;
    *cell = (int16_t)state;
    return mq_requantize(output * mq_sigmoid_value(steps, table, 1), how->hidden_multiplier,
                         how->hidden_shift);
}

#endif
