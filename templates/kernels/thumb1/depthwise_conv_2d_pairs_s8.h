/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: int8 depthwise convolution for cores that multiply 32 bits by 32 to 32 and no faster than
 * that: two rows of the image share each product. Scratch: some columns of one channel as words.
 */
#ifndef MQ_DEPTHWISE_CONV_2D_PAIRS_S8_H
#define MQ_DEPTHWISE_CONV_2D_PAIRS_S8_H

#include "mq_common.h"
#include "mq_short_requantization.h"

/* What the function that lays out a channel is told. Assembly reads the first four fields. */
typedef struct {
    int32_t row_bytes;  /* from row to row of the input */
    int32_t half_bytes; /* from an upper to its lower row */
    int32_t columns;
    int32_t channels; /* bytes from column to column */
    int32_t rows;     /* words of a column */
    int32_t first_row;
    int32_t half_rows;
    int32_t input_h;
    int32_t zero_point;
} mq_thumb1_planes_t;

/* words [columns][rows], each upper row + (lower row << 16), from one channel of an image. */
typedef void mq_thumb1_planes_function_t(const int8_t *input,
                                         int32_t *words,
                                         int32_t unused,
                                         const mq_thumb1_planes_t *shape);

/* What the function for windows is told. Assembly reads the first five fields. */
typedef struct {
    int32_t half;    /* bytes from an upper to its lower output */
    int32_t row;     /* bytes of an output row */
    int32_t columns; /* of outputs */
    int32_t jump;    /* bytes from behind a column's last output to the next column */
    const int8_t *table;
    int32_t pairs; /* outputs of a column, two at a time */
    int32_t rows;
    int32_t filter_h;
    int32_t filter_w;
    int32_t stride_h;
    int32_t stride_w;
    mq_short_requantization_t form;
} mq_thumb1_windows_t;

/* Two outputs for each window over the words. weights: filter_w columns, then constants. */
typedef void mq_thumb1_windows_function_t(const int32_t *words,
                                          const int32_t *weights,
                                          int8_t *output,
                                          const mq_thumb1_windows_t *walk);

typedef struct {
    int32_t input_h;
    int32_t input_w;
    int32_t channels;
    int32_t filter_h;
    int32_t filter_w;
    int32_t output_h;
    int32_t output_w;
    int32_t stride_h;
    int32_t stride_w;
    int32_t padding_h;
    int32_t padding_w;
    int32_t input_zero_point;
    int32_t block_w; /* output columns that share the scratch */
    int32_t table_lowest;
    int32_t exact_channels;
    int32_t digits; /* from here on: mq_short_requantization_t */
    int32_t digit_bits;
    int32_t shift;
    int32_t is_signed;
    int32_t origin;
    int32_t output_zero_point;
    int32_t activation_min;
    int32_t activation_max;
} mq_depthwise_conv_2d_pairs_s8_params_t;

/* The byte of a column at a row, or zero_point outside the image. */
static inline int32_t mq_thumb1_pixel(const mq_thumb1_planes_t *shape, const int8_t *column, int32_t row) {
    return row >= 0 && row < shape->input_h ? column[row * shape->row_bytes] : shape->zero_point;
}

MQ_TWIN void
mq_thumb1_planes_twin(const int8_t *input, int32_t *words, int32_t unused, const mq_thumb1_planes_t *shape) {
    (void)unused;
    for (int32_t column = 0; column < shape->columns; column++) {
        for (int32_t word = 0; word < shape->rows; word++) {
            const int32_t row = shape->first_row + word;
            const int32_t upper = mq_thumb1_pixel(shape, input, row);
            const int32_t lower = mq_thumb1_pixel(shape, input, row + shape->half_rows);
            *words++ = upper + lower * 0x10000;
        }
        input += shape->channels;
    }
}

/* The sums of x * w of the upper and of the lower window. */
static inline void mq_thumb1_window(const mq_thumb1_windows_t *walk,
                                    const int32_t *words,
                                    const int32_t *weights,
                                    int32_t *sums) {
    sums[0] = 0;
    sums[1] = 0;
    for (int32_t column = 0; column < walk->filter_w; column++) {
        for (int32_t row = 0; row < walk->filter_h; row++) {
            const int32_t word = words[column * walk->rows + row];
            const int32_t lower = (word + 0x8000) >> 16;
            sums[0] = mq_mac(sums[0], word - lower * 0x10000, *weights);
            sums[1] = mq_mac(sums[1], lower, *weights);
            weights++;
        }
    }
}

/* exact: NULL, or the constants of a channel that has no proof. */
static inline void mq_thumb1_windows(const int32_t *words,
                                     const int32_t *weights,
                                     int8_t *output,
                                     const mq_thumb1_windows_t *walk,
                                     const int32_t *exact) {
    const int32_t *constants = weights + walk->filter_h * walk->filter_w;
    for (int32_t column = 0; column < walk->columns; column++) {
        for (int32_t pair = 0; pair < walk->pairs; pair++) {
            int32_t sums[2];
            mq_thumb1_window(walk, words + pair * walk->stride_h, weights, sums);
            for (int32_t i = 0; i < 2; i++) {
                output[i * walk->half] = exact != NULL ? mq_exact_requantize(&walk->form, exact, sums[i])
                                                       : mq_short_requantize(&walk->form, constants, sums[i]);
            }
            output += walk->row;
        }
        output += walk->jump;
        words += walk->stride_w * walk->rows;
    }
}

MQ_TWIN void mq_thumb1_windows_twin(const int32_t *words,
                                    const int32_t *weights,
                                    int8_t *output,
                                    const mq_thumb1_windows_t *walk) {
    mq_thumb1_windows(words, weights, output, walk, NULL);
}

/* Lay out the columns from x on, and zero_point where they are outside the image. */
MQ_KERNEL void mq_depthwise_conv_2d_pairs_s8_block(const mq_depthwise_conv_2d_pairs_s8_params_t *params,
                                                   mq_thumb1_planes_t *shape,
                                                   const int8_t *input,
                                                   int32_t x,
                                                   int32_t columns,
                                                   mq_thumb1_planes_function_t *planes,
                                                   int32_t *words) {
    const int32_t first = mq_max(x, 0);
    const int32_t end = mq_min(x + columns, params->input_w);
    shape->columns = end - first;
    /* Padding stays from channel to channel where one block has all columns. */
    if (params->block_w < params->output_w) {
        const int32_t padding = params->input_zero_point * 0x10001;
        for (int32_t i = 0; i < columns * shape->rows; i++) {
            const int32_t column = x + i / shape->rows;
            if (column < first || column >= end) {
                words[i] = padding;
            }
        }
    }
    if (shape->columns > 0) {
        planes(input + first * params->channels, words + (first - x) * shape->rows, 0, shape);
    }
}

/* input [input_h][input_w][channels], output [output_h][output_w][channels].
 * weights [channels][filter_w * filter_h + constants + 1]: the last word chooses between the functions.
 * table: outputs for u >> shift from table_lowest on. exact [exact_channels][MQ_EXACT_WORDS].
 */
MQ_KERNEL void mq_depthwise_conv_2d_pairs_s8(const mq_depthwise_conv_2d_pairs_s8_params_t *params,
                                             const int8_t *input,
                                             const int32_t *weights,
                                             const int8_t *table,
                                             const int32_t *exact,
                                             mq_thumb1_planes_function_t *planes,
                                             mq_thumb1_windows_function_t *windows,
                                             mq_thumb1_windows_function_t *split_windows,
                                             int8_t *scratch,
                                             int8_t *output) {
    int32_t *words = (int32_t *)(void *)scratch;
    const int32_t channels = params->channels;
    const int32_t pairs = (params->output_h + 1) / 2;
    const int32_t half = params->output_h - pairs;
    const int32_t *exact_end = exact + params->exact_channels * MQ_EXACT_WORDS;
    mq_thumb1_planes_t shape;
    mq_thumb1_windows_t walk;
    shape.row_bytes = params->input_w * channels;
    shape.half_rows = half * params->stride_h;
    shape.half_bytes = shape.half_rows * shape.row_bytes;
    shape.channels = channels;
    shape.rows = (pairs - 1) * params->stride_h + params->filter_h;
    shape.first_row = -params->padding_h;
    shape.input_h = params->input_h;
    shape.zero_point = params->input_zero_point;
    walk.row = params->output_w * channels;
    walk.half = half * walk.row;
    walk.jump = channels - pairs * walk.row;
    walk.table = table - params->table_lowest;
    walk.pairs = pairs;
    walk.rows = shape.rows;
    walk.filter_h = params->filter_h;
    walk.filter_w = params->filter_w;
    walk.stride_h = params->stride_h;
    walk.stride_w = params->stride_w;
    walk.form = MQ_SHORT_FORM(params);
    const int32_t stream = params->filter_h * params->filter_w + mq_short_constants(&walk.form);
    const int32_t all = (params->block_w - 1) * params->stride_w + params->filter_w;
    for (int32_t i = 0; i < all * shape.rows; i++) {
        words[i] = params->input_zero_point * 0x10001;
    }
    for (int32_t channel = 0; channel < channels; channel++) {
        const int32_t *proof = exact != exact_end && *exact == channel ? exact : NULL;
        for (int32_t x = 0; x < params->output_w; x += params->block_w) {
            walk.columns = mq_min(params->block_w, params->output_w - x);
            mq_depthwise_conv_2d_pairs_s8_block(
                params, &shape, input + channel, x * params->stride_w - params->padding_w,
                (walk.columns - 1) * params->stride_w + params->filter_w, planes, words);
            if (proof != NULL) {
                mq_thumb1_windows(words, weights, output + x * channels + channel, &walk, proof);
            } else if (weights[stream] != 0) {
                split_windows(words, weights, output + x * channels + channel, &walk);
            } else {
                windows(words, weights, output + x * channels + channel, &walk);
            }
        }
        exact += proof != NULL ? MQ_EXACT_WORDS : 0;
        weights += stream + 1;
    }
}

#endif
