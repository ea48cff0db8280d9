/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: int8 depthwise convolution with small filters on Helium. Up to 16 channels at once: some strips
 * of four input rows are interleaved into words, and all their outputs computed.
 */
#ifndef MQ_DEPTHWISE_CONV_2D_S8_MVE_H
#define MQ_DEPTHWISE_CONV_2D_S8_MVE_H

#include "mq_mve.h"

typedef struct {
    int32_t input_h; /* rows */
    int32_t input_row;
    int32_t channels;
    int32_t chunk; /* channels at once */
    int32_t stride_h;
    int32_t padding_h;
    int32_t padding_words; /* left of a strip */
    int32_t input_zero_point;
    int32_t output_h;
    int32_t strips;  /* in a block */
    int32_t vectors; /* of a row of a chunk */
    int32_t step;    /* from one vector to the next */
    int32_t rest;    /* bytes of a row that are less than a vector */
    int32_t strip_rows;
    int32_t tile;
    int32_t tile_words;
    int32_t columns;
    int32_t strip_words;
    int32_t output_zero_point;
    int32_t activation_min;
    int32_t activation_max;
} mq_depthwise_conv_2d_s8_mve_params_t;

/* The four rows from input row y on, as words; rows outside the input are `outside`. */
static inline void mq_depthwise_conv_2d_s8_mve_strip(const mq_depthwise_conv_2d_s8_mve_params_t *params,
                                                     const int8_t *input,
                                                     const int8_t *outside,
                                                     int32_t y,
                                                     int8_t *words,
                                                     mq_mve_interleave_function_t *interleave) {
    const int8_t *rows[4];
    for (int32_t i = 0; i < 4; i++) {
        const int32_t at = mq_mve_opaque(y + i);
        rows[i] = at < 0 || at >= params->input_h ? outside : input + at * params->input_row;
    }
    interleave(rows, words, params->vectors, params->step);
    if (params->rest != 0) {
        const int32_t last = params->input_row - MQ_MVE_VECTOR;
        for (int32_t i = 0; i < 4; i++) {
            rows[i] += last;
        }
        interleave(rows, words + 4 * last, 1, params->step);
    }
}

/* input NHWC, output NHWC. packed: see kernels/mve/patches.py. scratch: a row of padding, then the buffer. */
MQ_KERNEL void mq_depthwise_conv_2d_s8_mve(const mq_depthwise_conv_2d_s8_mve_params_t *params,
                                           const int8_t *input,
                                           const int8_t *packed,
                                           mq_mve_interleave_function_t *interleave,
                                           mq_mve_patches_function_t *patches,
                                           int8_t *scratch,
                                           int8_t *output) {
    const int32_t output_row = params->columns * params->channels;
    const mq_mve_patches_t shape = {
        params->strip_rows,
        params->tile,
        params->tile_words,
        params->columns,
        params->chunk,
        params->strip_words,
        params->channels,
        output_row,
        {params->output_zero_point, params->activation_min, params->activation_max},
    };
    const int32_t strip_bytes = params->strip_words * 4 * params->chunk;
    int8_t *buffer = scratch + (params->input_row + 3) / 4 * 4;
    memset(scratch, params->input_zero_point, (size_t)(buffer - scratch + params->strips * strip_bytes));
    int32_t row = 0;
    while (row < params->output_h) {
        int32_t strips = mq_min(params->strips, (params->output_h - row) / params->strip_rows);
        if (strips == 0) {
            /* One row is left: with the one before, once more. */
            strips = 1;
            row = params->output_h - params->strip_rows;
        }
        for (int32_t first = 0; first < params->channels; first += params->chunk) {
            /* The last chunk may have channels that are done already. */
            const int32_t done = mq_max(first - (params->channels - params->chunk), 0);
            int8_t *words = buffer + params->padding_words * 4 * params->chunk;
            for (int32_t strip = 0; strip < strips; strip++) {
                const int32_t y = (row + strip * params->strip_rows) * params->stride_h - params->padding_h;
                mq_depthwise_conv_2d_s8_mve_strip(params, input + first - done, scratch, y, words,
                                                  interleave);
                words += strip_bytes;
            }
            patches(buffer + 4 * done, output + row * output_row + first,
                    packed + first * MQ_MVE_CHANNEL_BYTES, strips, params->chunk - done, &shape);
        }
        row += strips * params->strip_rows;
    }
}

#endif
