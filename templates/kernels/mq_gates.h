/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: what kernels of recurrent layers share: activations of gates, and hidden states of 16 bits.
 * ARITHMETIC section 26.
 */
#ifndef MQ_GATES_H
#define MQ_GATES_H

#include "mq_sigmoid.h"

/* Sums of gates count in 2^-12, hidden states and what gates give in 2^-15. table: see mq_sigmoid_value. */
static inline int32_t mq_gate_sigmoid(int32_t sum, const uint16_t *table) {
    return mq_sigmoid_value(3 * mq_clamp(sum, INT16_MIN, INT16_MAX), table, 0);
}

static inline int32_t mq_gate_tanh(int32_t sum, const uint16_t *table) {
    return mq_sigmoid_value(3 * mq_clamp(sum, INT16_MIN, INT16_MAX), table, 1);
}

/* a * b / 2^15, halves up. */
static inline int32_t mq_q15_product(int32_t a, int32_t b) {
    return (a * b + ((int32_t)1 << 14)) >> 15;
}

/* What a unit's reset gate scales is limited to 16: 17 bits with the sign. */
static inline int32_t mq_gru_reset(int32_t reset, int32_t sum) {
    const int32_t limit = 0xFFFF;
    return mq_q15_product(reset, mq_clamp(sum, -limit, limit));
}

/* The hidden state after a step, between the candidate and what it was before. */
static inline int32_t mq_gru_hidden(int32_t update, int32_t candidate, int32_t before) {
    const int32_t one = (int32_t)1 << 15;
    return (update * before + (one - update) * candidate + (one >> 1)) >> 15;
}

#endif
