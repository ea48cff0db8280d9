/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: int8 3x3 convolution at stride 1 by Winograd's F(2x2, 3x3), for the DSP extension.
 * kernels/dsp/winograd_dsp_s8.py has the mathematics.
 */
#ifndef MQ_WINOGRAD_DSP_S8_H
#define MQ_WINOGRAD_DSP_S8_H

#include "mq_dsp_linear.h"

typedef struct {
    int32_t input_h;
    int32_t input_w;
    int32_t channels;
    int32_t output_h;
    int32_t output_w;
    int32_t outputs;
    int32_t padding_h;
    int32_t padding_w;
    int32_t zero_point; /* of the input */
    int32_t columns;    /* of an expanded row, padding included */
    int32_t shift;
    int32_t has_steps;
    int32_t low;
    int32_t high;
} mq_winograd_dsp_s8_params_t;

/* Two tiles: for each of 16 positions [2][channels] int16, then room for the sums [2][4] int32.
 * Sums of products with a block's weights.
 */
typedef void mq_winograd_dsp_s8_products_function_t(int8_t *tiles,
                                                    const int32_t *weights,
                                                    const mq_winograd_dsp_s8_params_t *params);

MQ_TWIN void mq_winograd_dsp_s8_products_twin(int8_t *tiles,
                                              const int32_t *weights,
                                              const mq_winograd_dsp_s8_params_t *params) {
    const int32_t tile_bytes = 2 * params->channels;
    for (int32_t position = 0; position < 16; position++) {
        for (int32_t i = 0; i < 8; i++) {
            int32_t acc = 0;
            for (int32_t pair = 0; pair < params->channels / 2; pair++) {
                const uint32_t x = mq_load_word(tiles + i / 4 * tile_bytes + 4 * pair);
                acc = mq_smlad(x, (uint32_t)weights[4 * pair + i % 4], acc);
            }
            mq_store_word(tiles + 2 * tile_bytes + 4 * i, (uint32_t)acc);
        }
        tiles += 2 * tile_bytes + 32;
        weights += 2 * params->channels;
    }
}

/* The outputs of two whole tiles in a block's channels. sums: of position 0; constants: start, multiplier,
 * addend and step of each channel.
 */
typedef void mq_winograd_dsp_s8_outputs_function_t(const int8_t *sums,
                                                   const int32_t *constants,
                                                   int8_t *output,
                                                   const mq_winograd_dsp_s8_params_t *params);

/* An input row, expanded; padding, and what lies outside of the input, is zero_point. */
MQ_KERNEL void mq_winograd_dsp_s8_expand(const mq_winograd_dsp_s8_params_t *params,
                                         mq_dsp_expand_function_t *expand,
                                         const int8_t *input,
                                         int32_t row,
                                         int16_t *to) {
    const int32_t channels = params->channels;
    if (row < 0 || row >= params->input_h) {
        mq_dsp_fill(to, params->zero_point, params->columns * channels);
        return;
    }
    const int32_t inside = mq_min(params->input_w, params->columns - params->padding_w);
    const int32_t behind = params->columns - params->padding_w - inside;
    mq_dsp_fill(to, params->zero_point, params->padding_w * channels);
    to += params->padding_w * channels;
    expand(to, input + row * params->input_w * channels, inside * channels / 4, 1, 0);
    mq_dsp_fill(to + inside * channels, params->zero_point, behind * channels);
}

/* One row of two transformed tiles from six columns of pairs; the positions are `step` bytes apart. */
static inline void
mq_winograd_dsp_s8_transform_row(const uint32_t t[6], int8_t *to, int32_t step, int32_t tile_bytes) {
    for (int32_t tile = 0; tile < 2; tile++) {
        const uint32_t *d = t + 2 * tile;
        mq_store_word(to, mq_ssub16(d[0], d[2]));
        mq_store_word(to + step, mq_sadd16(d[1], d[2]));
        mq_store_word(to + 2 * step, mq_ssub16(d[2], d[1]));
        mq_store_word(to + 3 * step, mq_ssub16(d[1], d[3]));
        to += tile_bytes;
    }
}

/* B'dB of two tiles side by side, whose rows begin at rows[0..3]. */
MQ_KERNEL void mq_winograd_dsp_s8_transform(const mq_winograd_dsp_s8_params_t *params,
                                            const int16_t *const rows[4],
                                            int8_t *tiles) {
    const int32_t channels = params->channels;
    const int32_t step = 4 * channels + 32;
    for (int32_t c = 0; c < channels; c += 2) {
        uint32_t d0[6];
        uint32_t d1[6];
        uint32_t d2[6];
        uint32_t d3[6];
        for (int32_t x = 0; x < 6; x++) {
            const uint32_t first = mq_load_word(rows[0] + x * channels + c);
            const uint32_t second = mq_load_word(rows[1] + x * channels + c);
            const uint32_t third = mq_load_word(rows[2] + x * channels + c);
            const uint32_t fourth = mq_load_word(rows[3] + x * channels + c);
            d0[x] = mq_ssub16(first, third);
            d1[x] = mq_sadd16(second, third);
            d2[x] = mq_ssub16(third, second);
            d3[x] = mq_ssub16(second, fourth);
        }
        mq_winograd_dsp_s8_transform_row(d0, tiles, step, 2 * channels);
        mq_winograd_dsp_s8_transform_row(d1, tiles + 4 * step, step, 2 * channels);
        mq_winograd_dsp_s8_transform_row(d2, tiles + 8 * step, step, 2 * channels);
        mq_winograd_dsp_s8_transform_row(d3, tiles + 12 * step, step, 2 * channels);
        tiles += 4;
    }
}

static inline int32_t mq_winograd_dsp_s8_add(int32_t a, int32_t b) {
    return (int32_t)((uint32_t)a + (uint32_t)b);
}

static inline int32_t mq_winograd_dsp_s8_subtract(int32_t a, int32_t b) {
    return (int32_t)((uint32_t)a - (uint32_t)b);
}

/* Requantize four times an accumulator. constants: start, multiplier, addend, step. */
static inline int8_t mq_winograd_dsp_s8_requantize(const mq_winograd_dsp_s8_params_t *params,
                                                   int32_t acc,
                                                   const int32_t *constants) {
    const int32_t scaled = (int32_t)((uint32_t)mq_winograd_dsp_s8_add(acc, constants[0]) << 6);
    int32_t y = mq_smmla(scaled, constants[1], constants[2]);
    if (params->has_steps) {
        y -= constants[3] & (scaled >> 31);
    }
    y = mq_ssat8(y >> params->shift);
    if (params->low != -128 || params->high != 127) {
        y = mq_clamp(y, params->low, params->high);
    }
    return (int8_t)y;
}

/* A'MA of one tile and channel, requantized. sums: of position 0. rows, columns: how many of its two rows
 * and columns are inside of the output.
 */
static inline void mq_winograd_dsp_s8_output(const mq_winograd_dsp_s8_params_t *params,
                                             const int8_t *sums,
                                             const int32_t *constants,
                                             int32_t rows,
                                             int32_t columns,
                                             int8_t *output) {
    const int32_t step = 4 * params->channels + 32;
    const int32_t row_bytes = params->output_w * params->outputs;
    int32_t u[4];
    int32_t v[4];
    for (int32_t x = 0; x < 4; x++) {
        const int32_t m0 = (int32_t)mq_load_word(sums + x * step);
        const int32_t m1 = (int32_t)mq_load_word(sums + (4 + x) * step);
        const int32_t m2 = (int32_t)mq_load_word(sums + (8 + x) * step);
        const int32_t m3 = (int32_t)mq_load_word(sums + (12 + x) * step);
        u[x] = mq_winograd_dsp_s8_add(mq_winograd_dsp_s8_add(m0, m1), m2);
        v[x] = mq_winograd_dsp_s8_subtract(mq_winograd_dsp_s8_subtract(m1, m2), m3);
    }
    const int32_t y00 = mq_winograd_dsp_s8_add(mq_winograd_dsp_s8_add(u[0], u[1]), u[2]);
    const int32_t y01 = mq_winograd_dsp_s8_subtract(mq_winograd_dsp_s8_subtract(u[1], u[2]), u[3]);
    const int32_t y10 = mq_winograd_dsp_s8_add(mq_winograd_dsp_s8_add(v[0], v[1]), v[2]);
    const int32_t y11 = mq_winograd_dsp_s8_subtract(mq_winograd_dsp_s8_subtract(v[1], v[2]), v[3]);
    output[0] = mq_winograd_dsp_s8_requantize(params, y00, constants);
    if (columns > 1) {
        output[params->outputs] = mq_winograd_dsp_s8_requantize(params, y01, constants);
    }
    if (rows > 1) {
        output[row_bytes] = mq_winograd_dsp_s8_requantize(params, y10, constants);
        if (columns > 1) {
            output[row_bytes + params->outputs] = mq_winograd_dsp_s8_requantize(params, y11, constants);
        }
    }
}

/* The outputs of two tiles in a block's channels. */
MQ_KERNEL void mq_winograd_dsp_s8_outputs(const mq_winograd_dsp_s8_params_t *params,
                                          const int8_t *sums,
                                          const int32_t *constants,
                                          int32_t rows,
                                          int32_t columns,
                                          int8_t *output) {
    for (int32_t channel = 0; channel < 4; channel++) {
        mq_winograd_dsp_s8_output(params, sums, constants, rows, columns, output);
        if (columns > 2) {
            mq_winograd_dsp_s8_output(params, sums + 16, constants, rows, columns - 2,
                                      output + 2 * params->outputs);
        }
        sums += 4;
        output++;
        constants += 4;
    }
}

MQ_TWIN void mq_winograd_dsp_s8_outputs_twin(const int8_t *sums,
                                             const int32_t *constants,
                                             int8_t *output,
                                             const mq_winograd_dsp_s8_params_t *params) {
    mq_winograd_dsp_s8_outputs(params, sums, constants, 2, 4, output);
}

/* input [input_h][input_w][channels], output [output_h][output_w][outputs], weights [blocks][16][channels /
 * 2][4], requantization [outputs][4]. scratch: four rows as int16 [columns][channels], then two tiles.
 */
MQ_KERNEL void mq_winograd_dsp_s8(const mq_winograd_dsp_s8_params_t *params,
                                  const int8_t *input,
                                  const int32_t *weights,
                                  const int32_t *requantization,
                                  int8_t *scratch,
                                  mq_dsp_expand_function_t *expand,
                                  mq_winograd_dsp_s8_products_function_t *products,
                                  mq_winograd_dsp_s8_outputs_function_t *whole_tiles,
                                  int8_t *output) {
    const int32_t channels = params->channels;
    int16_t *expanded = (int16_t *)(void *)scratch;
    int8_t *tiles = scratch + 8 * params->columns * channels;
    const int8_t *sums = tiles + 4 * channels;
    int32_t next = 0; /* row of the padded input */
    for (int32_t y = 0; y < params->output_h; y += 2) {
        const int16_t *rows[4];
        for (; next < y + 4; next++) {
            mq_winograd_dsp_s8_expand(params, expand, input, next - params->padding_h,
                                      expanded + (next & 3) * params->columns * channels);
        }
        for (int32_t i = 0; i < 4; i++) {
            rows[i] = expanded + ((y + i) & 3) * params->columns * channels;
        }
        for (int32_t x = 0; x < params->output_w; x += 4) {
            mq_winograd_dsp_s8_transform(params, rows, tiles);
            const int32_t *block = weights;
            int8_t *to = output + (y * params->output_w + x) * params->outputs;
            for (int32_t channel = 0; channel < params->outputs; channel += 4) {
                products(tiles, block, params);
                block += 32 * channels;
                if (y + 1 < params->output_h && x + 3 < params->output_w) {
                    whole_tiles(sums, requantization + 4 * channel, to, params);
                } else {
                    mq_winograd_dsp_s8_outputs(params, sums, requantization + 4 * channel,
                                               params->output_h - y, params->output_w - x, to);
                }
                to += 4;
            }
            for (int32_t i = 0; i < 4; i++) {
                rows[i] += 4 * channels;
            }
        }
    }
}

#endif
