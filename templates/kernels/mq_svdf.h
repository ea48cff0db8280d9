/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: svdf of int8 activations, its state int8 or int16. ARITHMETIC section 27.
 */
#ifndef MQ_SVDF_H
#define MQ_SVDF_H

#include "mq_dsp_dots.h"

/* What a row reads. bias: less the state's zero_point times the sum of a unit's time weights. */
typedef struct {
    int32_t input_size;
    int32_t filters;
    int32_t rank;   /* filters of a unit */
    int32_t memory; /* values that a filter keeps */
    int32_t wide;   /* 1: state and time weights are int16 */
    int32_t input_zero_point;
    int32_t state_zero_point;
    int32_t output_zero_point;
    int32_t value_multiplier; /* of a filter's sum, to the state's scale */
    int32_t value_shift;
    int32_t multiplier; /* of a unit's sum */
    int32_t shift;
    const int8_t *feature; /* [filters][input_size] */
    const void *time;      /* [filters][memory] */
    const int32_t *bias;   /* [filters / rank] */
} mq_svdf_layer_t;

/* A filter's memory, oldest value first: the oldest goes, the newest comes. Returns acc + memory . time. */
MQ_SPECIALISED int32_t mq_svdf_remember_s8(
    int32_t acc, int8_t *state, const int8_t *time, int32_t memory, int8_t newest, int32_t by_words) {
    const int32_t last = memory - 1;
    int32_t k = 0;
    for (; by_words && k + 4 <= last; k += 4) {
        const uint32_t bytes = mq_load_word(state + k + 1);
        mq_store_word(state + k, bytes);
        acc = mq_dsp_four_products(acc, mq_sxtb16(bytes), mq_sxtb16_ror8(bytes), 0, mq_load_word(time + k));
    }
    for (; k < last; k++) {
        state[k] = state[k + 1];
        acc = mq_mac(acc, state[k], time[k]);
    }
    state[last] = newest;
    return mq_mac(acc, newest, time[last]);
}

MQ_SPECIALISED int32_t mq_svdf_remember_s16(
    int32_t acc, int16_t *state, const int16_t *time, int32_t memory, int16_t newest, int32_t by_words) {
    const int32_t last = memory - 1;
    int32_t k = 0;
    for (; by_words && k + 2 <= last; k += 2) {
        const uint32_t pair = mq_load_word(state + k + 1);
        mq_store_word(state + k, pair);
        acc = mq_smlad(pair, mq_load_word(time + k), acc);
    }
    for (; k < last; k++) {
        state[k] = state[k + 1];
        acc = mq_mac(acc, state[k], time[k]);
    }
    state[last] = newest;
    return mq_mac(acc, newest, time[last]);
}

/* The filter's new value, from its sum, into its memory. The value is limited to its type, and wraps there
 * where the zero_point is added.
 */
MQ_SPECIALISED int32_t mq_svdf_filter(
    const mq_svdf_layer_t *layer, int32_t acc, int32_t sum, int32_t filter, int8_t *state, int32_t by_words) {
    const int32_t memory = layer->memory;
    const int32_t value = mq_requantize(sum, layer->value_multiplier, layer->value_shift);
    if (layer->wide) {
        const int32_t moved = mq_clamp(value, INT16_MIN, INT16_MAX) + layer->state_zero_point;
        const int16_t newest = (int16_t)(((moved + 32768) & 0xFFFF) - 32768);
        return mq_svdf_remember_s16(acc, (int16_t *)(void *)state,
                                    (const int16_t *)layer->time + filter * memory, memory, newest, by_words);
    }
    const int32_t moved = mq_clamp(value, INT8_MIN, INT8_MAX) + layer->state_zero_point;
    const int8_t newest = (int8_t)(((moved + 128) & 0xFF) - 128);
    return mq_svdf_remember_s8(acc, state, (const int8_t *)layer->time + filter * memory, memory, newest,
                               by_words);
}

/* The sums of `filters` filters (MQ_DOT_OUTPUTS or 1) over a frame, from the first of them on. */
MQ_SPECIALISED void mq_svdf_sums(const mq_svdf_layer_t *layer,
                                 int32_t *sum,
                                 int32_t filters,
                                 const int8_t *input,
                                 int32_t first,
                                 int32_t by_words) {
    const int32_t size = layer->input_size;
    const int8_t *weights = layer->feature + first * size;
    for (int32_t i = 0; i < filters; i++) {
        sum[i] = 0;
    }
    if (by_words) {
        mq_dsp_dots(sum, filters, input, weights, size, size, mq_dsp_minus(layer->input_zero_point, 0));
    } else {
        mq_dot(sum, filters, input, layer->input_zero_point, weights, size, size);
    }
}

/* One row. state: [filters][memory], changed in place. by_words: a literal, 1: several factors at once. */
MQ_SPECIALISED void mq_svdf_row(
    const mq_svdf_layer_t *layer, const int8_t *input, int8_t *output, int8_t *state, int32_t by_words) {
    const int32_t memory_bytes = layer->memory * (layer->wide ? 2 : 1);
    int32_t left = 0; /* filters of the unit */
    int32_t acc = 0;
    int32_t filters;
    for (int32_t first = 0; first < layer->filters; first += filters) {
        int32_t sum[MQ_DOT_OUTPUTS];
        filters = layer->filters - first < MQ_DOT_OUTPUTS ? 1 : MQ_DOT_OUTPUTS;
        mq_svdf_sums(layer, sum, filters, input, first, by_words);
        for (int32_t i = 0; i < filters; i++) {
            if (left == 0) {
                left = layer->rank;
                acc = layer->bias[(first + i) / layer->rank];
            }
            acc = mq_svdf_filter(layer, acc, sum[i], first + i, state, by_words);
            state += memory_bytes;
            if (--left == 0) {
                *output++ = mq_requantize_to_int8(acc, layer->multiplier, layer->shift,
                                                  layer->output_zero_point, INT8_MIN, INT8_MAX);
            }
        }
    }
}

/* All rows: input [rows][input_size], output [rows][filters / rank]. */
MQ_SPECIALISED void mq_svdf_rows(const mq_svdf_layer_t *layer,
                                 int32_t rows,
                                 const int8_t *input,
                                 int8_t *output,
                                 void *state,
                                 int32_t by_words) {
    const int32_t state_bytes = layer->filters * layer->memory * (layer->wide ? 2 : 1);
    for (int32_t row = 0; row < rows; row++) {
        mq_svdf_row(layer, input, output, (int8_t *)state + row * state_bytes, by_words);
        input += layer->input_size;
        output += layer->filters / layer->rank;
    }
}

/* The layer, from a kernel's parameters and tables. */
#define MQ_SVDF_LAYER(params, feature, time, bias) \
    {(params)->input_size, \
     (params)->filters, \
     (params)->rank, \
     (params)->memory, \
     (params)->wide, \
     (params)->input_zero_point, \
     (params)->state_zero_point, \
     (params)->output_zero_point, \
     (params)->value_multiplier, \
     (params)->value_shift, \
     (params)->multiplier, \
     (params)->shift, \
     (feature), \
     (time), \
     (bias)}

#endif
