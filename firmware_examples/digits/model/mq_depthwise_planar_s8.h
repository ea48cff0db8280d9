/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: int8 depthwise convolution by planes of int16, for CPUs with SMLAD (Cortex-M4, M7, M33).
 */
#ifndef MQ_DEPTHWISE_PLANAR_S8_H
#define MQ_DEPTHWISE_PLANAR_S8_H

#include "mq_dsp.h"

/* Rows and columns are those of the generator's geometry: bands are of rows, lines go along columns.
 * An image one pixel wide is one line; then a band is a part of that line, and planes have one row.
 */
typedef struct {
    int32_t input_rows;
    int32_t input_row; /* bytes */
    int32_t channels;
    int32_t multiplier; /* output channels of each channel */
    int32_t output_rows;
    int32_t output_row; /* bytes */
    int32_t stride;     /* of rows */
    int32_t padding;    /* rows before the input */
    int32_t band;       /* output rows at a time */
    int32_t is_line;
    int32_t by_channel; /* channels outside, bands inside */
    int32_t group;      /* channels that are made planes of at once: 4 or 1 */
    int32_t plane_rows; /* lines of a plane */
    int32_t line_bytes;
    int32_t line_input;  /* pixels */
    int32_t line_before; /* pixels of padding before them */
    int32_t line_output; /* outputs of a line */
    int32_t line_stride; /* pixels */
    int32_t filter_rows;
    int32_t row_dilation;   /* lines from one row of the filter to the next */
    int32_t filter_columns; /* with weights of 0 between the taps of a dilated filter */
    int32_t input_zero_point;
    int32_t shift; /* of all channels, or 0: each has its own */
    int32_t has_steps;
    int32_t rounds_sign;
    int32_t activation_min;
    int32_t activation_max;
} mq_depthwise_planar_s8_params_t;

/* Make `rows` lines of each of four planes of four channels of the input. */
typedef void mq_depthwise_planar_planes_function_t(const mq_depthwise_planar_s8_params_t *params,
                                                   const int8_t *input,
                                                   int8_t *planes,
                                                   int32_t rows);

/* Convolve `rows` lines of outputs of `channels` channels, one plane after another (one plane, if
 * there is but one). table: for each channel bias, addend, multiplier, shift if each has its own, step if
 * there are steps, then the filter's rows: words (weight t, weight t + 1), scaled.
 */
typedef void mq_depthwise_planar_rows_function_t(const mq_depthwise_planar_s8_params_t *params,
                                                 const int8_t *planes,
                                                 const int32_t *table,
                                                 int8_t *output,
                                                 int32_t rows,
                                                 int32_t channels);

static inline void mq_depthwise_planar_s8_store(int8_t *at, int32_t value) {
    const int16_t half = (int16_t)value;
    memcpy(at, &half, sizeof half);
}

/* One channel's lines, from input that has `step` bytes from pixel to pixel. */
static inline void mq_depthwise_planar_s8_plane(const mq_depthwise_planar_s8_params_t *params,
                                                const int8_t *input,
                                                int8_t *plane,
                                                int32_t rows) {
    const int32_t step = params->channels;
    const int32_t pixels = params->line_bytes / 2;
    const int32_t end = mq_min(params->line_before + params->line_input, pixels);
    for (int32_t row = 0; row < rows; row++) {
        const int8_t *in = input;
        int32_t i = 0;
        for (; i < params->line_before; i++) {
            mq_depthwise_planar_s8_store(plane + 2 * i, params->input_zero_point);
        }
        for (; i < end; i++) {
            mq_depthwise_planar_s8_store(plane + 2 * i, *in);
            in += step;
        }
        for (; i < pixels; i++) {
            mq_depthwise_planar_s8_store(plane + 2 * i, params->input_zero_point);
        }
        plane += params->line_bytes;
        input += params->line_input * step;
    }
}

MQ_TWIN void mq_depthwise_planar_planes_twin(const mq_depthwise_planar_s8_params_t *params,
                                             const int8_t *input,
                                             int8_t *planes,
                                             int32_t rows) {
    for (int32_t i = 0; i < 4; i++) {
        mq_depthwise_planar_s8_plane(params, input + i, planes + i * params->plane_rows * params->line_bytes,
                                     rows);
    }
}

/* Lines of a plane under the filter. */
static inline int32_t mq_depthwise_planar_s8_reach(const mq_depthwise_planar_s8_params_t *params) {
    return (params->filter_rows - 1) * params->row_dilation + 1;
}

/* Words that a channel's table has before its weights. */
static inline int32_t mq_depthwise_planar_s8_constants(const mq_depthwise_planar_s8_params_t *params) {
    return (params->shift != 0 ? 3 : 4) + (params->has_steps ? 1 : 0);
}

static inline int8_t mq_depthwise_planar_s8_result(const mq_depthwise_planar_s8_params_t *params,
                                                   const int32_t *table,
                                                   int32_t acc) {
    const int32_t shift = params->shift != 0 ? params->shift : table[3];
    const int32_t step = params->has_steps ? table[mq_depthwise_planar_s8_constants(params) - 1] : 0;
    int32_t y;
    if (params->rounds_sign) {
        y = mq_smmlar(acc, table[2], table[1] + (acc < 0 ? -1 : 0));
    } else {
        y = mq_smmla(acc, table[2], table[1]) - (acc < 0 ? step : 0);
    }
    return (int8_t)mq_clamp(y >> shift, params->activation_min, params->activation_max);
}

/* bias + the sum of x[row][column] * weight(row, column); x: the window's corner in a plane. */
MQ_KERNEL int32_t mq_depthwise_planar_s8_window(const mq_depthwise_planar_s8_params_t *params,
                                                const int8_t *x,
                                                const int32_t *table) {
    const int32_t words = mq_max(params->filter_columns - 1, 1);
    const int32_t *weights = table + mq_depthwise_planar_s8_constants(params);
    int32_t acc = table[0];
    for (int32_t row = 0; row < params->filter_rows; row++) {
        for (int32_t column = 0; column < params->filter_columns; column++) {
            const uint32_t word = (uint32_t)weights[mq_min(column, words - 1)];
            int16_t pixel;
            memcpy(&pixel, x + 2 * column, sizeof pixel);
            acc = mq_mac(acc, pixel, column < words ? mq_bottom(word) : mq_top(word));
        }
        x += params->row_dilation * params->line_bytes;
        weights += words;
    }
    return acc;
}

MQ_TWIN void mq_depthwise_planar_rows_twin(const mq_depthwise_planar_s8_params_t *params,
                                           const int8_t *planes,
                                           const int32_t *table,
                                           int8_t *output,
                                           int32_t rows,
                                           int32_t channels) {
    const int32_t words = mq_depthwise_planar_s8_constants(params) +
                          params->filter_rows * mq_max(params->filter_columns - 1, 1);
    const int32_t step = params->channels * params->multiplier;
    for (int32_t channel = 0; channel < channels; channel++) {
        int8_t *y = output + channel;
        for (int32_t row = 0; row < rows; row++) {
            const int8_t *x = planes + row * params->stride * params->line_bytes;
            for (int32_t column = 0; column < params->line_output; column++) {
                *y = mq_depthwise_planar_s8_result(params, table,
                                                   mq_depthwise_planar_s8_window(params, x, table));
                x += 2 * params->line_stride;
                y += step;
            }
        }
        table += words;
        planes += params->group == 4 ? params->plane_rows * params->line_bytes : 0;
    }
}

/* Lines first to end - 1 of the planes become padding. */
static inline void mq_depthwise_planar_s8_pad(const mq_depthwise_planar_s8_params_t *params,
                                              int8_t *planes,
                                              int32_t first,
                                              int32_t end) {
    const uint32_t padding = mq_pair(params->input_zero_point, params->input_zero_point);
    for (int32_t plane = 0; plane < params->group; plane++) {
        for (int32_t i = first * params->line_bytes; i < end * params->line_bytes; i += 4) {
            mq_store_word(planes + i, padding);
        }
        planes += params->plane_rows * params->line_bytes;
    }
}

/* What one call works on. */
typedef struct {
    mq_depthwise_planar_planes_function_t *make_planes;
    mq_depthwise_planar_rows_function_t *convolve;
    const int8_t *input;
    const int32_t *table;
    int8_t *planes;
    int8_t *output;
} mq_depthwise_planar_s8_arrays_t;

/* Output rows `row` to row + rows - 1 of `count` channels, 4 or 1. kept: lines that the planes have. */
static inline void mq_depthwise_planar_s8_band(const mq_depthwise_planar_s8_params_t *params,
                                               const mq_depthwise_planar_s8_arrays_t *arrays,
                                               int32_t channel,
                                               int32_t count,
                                               int32_t row,
                                               int32_t rows,
                                               int32_t kept) {
    const int32_t lines =
        params->is_line ? 1 : (rows - 1) * params->stride + mq_depthwise_planar_s8_reach(params);
    const int32_t top = row * params->stride - params->padding;
    /* Of the planes' lines, `first` to end - 1 are rows of the image that are still to come. */
    const int32_t first = params->is_line ? 0 : mq_max(kept, -top);
    const int32_t end = params->is_line ? 1 : mq_min(lines, params->input_rows - top);
    const int8_t *input = arrays->input + mq_max(top + first, 0) * params->input_row + channel;
    int8_t *planes = arrays->planes + first * params->line_bytes;
    /* Of the same rows of other channels, the padding is there already. */
    if (channel == 0 || params->by_channel) {
        mq_depthwise_planar_s8_pad(params, arrays->planes, kept, first);
        mq_depthwise_planar_s8_pad(params, arrays->planes, mq_max(end, kept), lines);
    }
    if (end > first && count == 4) {
        arrays->make_planes(params, input, planes, end - first);
    } else if (end > first) {
        mq_depthwise_planar_s8_plane(params, input, planes, end - first);
    }
    const int32_t words = mq_depthwise_planar_s8_constants(params) +
                          params->filter_rows * mq_max(params->filter_columns - 1, 1);
    const int32_t made = channel * params->multiplier;
    arrays->convolve(params, arrays->planes, arrays->table + made * words,
                     arrays->output + row * params->output_row + made, params->is_line ? 1 : rows,
                     count * params->multiplier);
}

/* Channels from `channel` on that go together. */
static inline int32_t mq_depthwise_planar_s8_group(const mq_depthwise_planar_s8_params_t *params,
                                                   int32_t channel) {
    return params->group == 4 && channel + 4 <= params->channels ? 4 : 1;
}

/* The last lines of the planes that a band's next one begins with go to the front. */
static inline void mq_depthwise_planar_s8_keep(const mq_depthwise_planar_s8_params_t *params,
                                               int8_t *planes) {
    const int32_t bytes = (mq_depthwise_planar_s8_reach(params) - params->stride) * params->line_bytes;
    const int32_t distance = params->band * params->stride * params->line_bytes;
    for (int32_t plane = 0; plane < params->group; plane++) {
        for (int32_t i = 0; i < bytes; i += 4) {
            mq_store_word(planes + i, mq_load_word(planes + distance + i));
        }
        planes += params->plane_rows * params->line_bytes;
    }
}

/* All bands of a group of channels, lines that two bands share being kept. */
MQ_KERNEL void mq_depthwise_planar_s8_channels(const mq_depthwise_planar_s8_params_t *params,
                                               const mq_depthwise_planar_s8_arrays_t *arrays,
                                               int32_t channel,
                                               int32_t count) {
    mq_depthwise_planar_s8_band(params, arrays, channel, count, 0, params->band, 0);
    for (int32_t row = params->band; row < params->output_rows; row += params->band) {
        mq_depthwise_planar_s8_keep(params, arrays->planes);
        mq_depthwise_planar_s8_band(params, arrays, channel, count, row,
                                    mq_min(params->band, params->output_rows - row),
                                    mq_max(mq_depthwise_planar_s8_reach(params) - params->stride, 0));
    }
}

/* A single band: its padding once, then the planes of all channels in turn. */
MQ_KERNEL void mq_depthwise_planar_s8_whole(const mq_depthwise_planar_s8_params_t *params,
                                            mq_depthwise_planar_planes_function_t *make_planes,
                                            mq_depthwise_planar_rows_function_t *convolve,
                                            const int8_t *input,
                                            const int32_t *table,
                                            int8_t *planes,
                                            int8_t *output) {
    const int32_t first = params->is_line ? 0 : params->padding;
    const int32_t end = params->is_line ? 1 : mq_min(first + params->input_rows, params->plane_rows);
    const int32_t rows = params->is_line ? 1 : params->output_rows;
    const int32_t words = mq_depthwise_planar_s8_constants(params) +
                          params->filter_rows * mq_max(params->filter_columns - 1, 1);
    int8_t *lines = planes + first * params->line_bytes;
    int32_t channel = 0;
    mq_depthwise_planar_s8_pad(params, planes, 0, first);
    mq_depthwise_planar_s8_pad(params, planes, end, params->plane_rows);
    if (params->group == 4) {
        for (; channel + 4 <= params->channels; channel += 4) {
            make_planes(params, input + channel, lines, end - first);
            convolve(params, planes, table, output + channel, rows, 4);
            table += 4 * words;
        }
        output += channel;
    }
    for (; channel < params->channels; channel++) {
        mq_depthwise_planar_s8_plane(params, input + channel, lines, end - first);
        convolve(params, planes, table, output, rows, params->multiplier);
        table += params->multiplier * words;
        output += params->multiplier;
    }
}

/* input [input_rows][input_row], output [output_rows][output_row]; scratch: group planes. */
MQ_KERNEL void mq_depthwise_planar_s8(const mq_depthwise_planar_s8_params_t *params,
                                      mq_depthwise_planar_planes_function_t *make_planes,
                                      mq_depthwise_planar_rows_function_t *convolve,
                                      const int8_t *input,
                                      const int32_t *table,
                                      int8_t *scratch,
                                      int8_t *output) {
    const mq_depthwise_planar_s8_arrays_t arrays = {make_planes, convolve, input, table, scratch, output};
    int32_t count;
    if (params->band == params->output_rows) {
        mq_depthwise_planar_s8_whole(params, make_planes, convolve, input, table, scratch, output);
        return;
    }
    if (params->by_channel) {
        for (int32_t channel = 0; channel < params->channels; channel += count) {
            count = mq_depthwise_planar_s8_group(params, channel);
            mq_depthwise_planar_s8_channels(params, &arrays, channel, count);
        }
        return;
    }
    for (int32_t row = 0; row < params->output_rows; row += params->band) {
        /* A part of a line is whole, so the last one may go back a little. */
        const int32_t start = params->is_line ? mq_min(row, params->output_rows - params->band) : row;
        const int32_t rows = mq_min(params->band, params->output_rows - start);
        for (int32_t channel = 0; channel < params->channels; channel += count) {
            count = mq_depthwise_planar_s8_group(params, channel);
            mq_depthwise_planar_s8_band(params, &arrays, channel, count, start, rows, 0);
        }
    }
}

#endif
