/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: int8 depthwise convolution, small in code and memory, for the DSP extension.
 */
#ifndef MQ_DEPTHWISE_LINES_S8_H
#define MQ_DEPTHWISE_LINES_S8_H

#include "mq_dsp.h"

typedef struct {
    int32_t filter_h; /* the assembly reads this and six more */
    int32_t filter_w;
    int32_t column_bytes; /* from a tap to the next one in its row */
    int32_t row_bytes;    /* from behind a row of taps to the next row */
    int32_t window_bytes; /* from a window to the next one */
    int32_t output_w;
    int32_t shift;
    int32_t output_h;
    int32_t input_h;
    int32_t input_w;
    int32_t channels; /* of the input */
    int32_t multiplier;
    int32_t stride_h;
    int32_t padding_h; /* rows of padding before the input */
    int32_t padding_w;
    int32_t zero_point; /* of the input */
    int32_t lines;      /* rows of the image that a window spans */
    int32_t columns;    /* pixels of a line, padding included */
    int32_t by_channel; /* channels outside, rows inside */
    int32_t has_steps;
    int32_t low;
    int32_t high;
} mq_depthwise_lines_s8_params_t;

/* A row of windows of four channels. lines: a word for each pixel. table: four starts, a word of weights for
 * each tap, multiplier and addend of each channel and, with has_steps, a word of their steps. results: a
 * word for each window.
 */
typedef void mq_depthwise_lines_s8_function_t(const mq_depthwise_lines_s8_params_t *params,
                                              const int8_t *lines,
                                              const int32_t *table,
                                              int8_t *results);

/* Words of a table. */
static inline int32_t mq_depthwise_lines_s8_words(const mq_depthwise_lines_s8_params_t *params) {
    return 12 + params->filter_h * params->filter_w + params->has_steps;
}

static inline int8_t mq_depthwise_lines_s8_result(const mq_depthwise_lines_s8_params_t *params,
                                                  const int32_t *constants,
                                                  int32_t channel,
                                                  int32_t acc) {
    const int32_t scaled = (int32_t)((uint32_t)acc << 8);
    int32_t y = mq_smmla(scaled, constants[2 * channel], constants[2 * channel + 1]);
    if (params->has_steps && scaled < 0) {
        y -= (uint8_t)((uint32_t)constants[8] >> (8 * channel));
    }
    return (int8_t)mq_clamp(mq_ssat8(y >> params->shift), params->low, params->high);
}

MQ_TWIN void mq_depthwise_lines_s8_twin(const mq_depthwise_lines_s8_params_t *params,
                                        const int8_t *lines,
                                        const int32_t *table,
                                        int8_t *results) {
    const int32_t *constants = table + 4 + params->filter_h * params->filter_w;
    for (int32_t window = 0; window < params->output_w; window++) {
        for (int32_t channel = 0; channel < 4; channel++) {
            const int8_t *in = lines + window * params->window_bytes + channel;
            const int8_t *weights = (const int8_t *)(table + 4) + channel;
            int32_t acc = table[channel];
            for (int32_t row = 0; row < params->filter_h; row++) {
                for (int32_t column = 0; column < params->filter_w; column++) {
                    acc = mq_mac(acc, *in, *weights);
                    in += params->column_bytes;
                    weights += 4;
                }
                in += params->row_bytes;
            }
            *results++ = mq_depthwise_lines_s8_result(params, constants, channel, acc);
        }
    }
}

/* What output channels `channel` to channel + count - 1 read of a pixel, a byte for each. */
static inline uint32_t mq_depthwise_lines_s8_pixel(const mq_depthwise_lines_s8_params_t *params,
                                                   const int8_t *pixel,
                                                   int32_t channel,
                                                   int32_t count) {
    uint32_t word = 0;
    if (params->multiplier == 1 && count == 4) {
        return mq_load_word(pixel + channel);
    }
    for (int32_t i = count - 1; i >= 0; i--) {
        word = word << 8 | (uint8_t)pixel[(channel + i) / params->multiplier];
    }
    return word;
}

/* A line, from a row of the input or, where it is NULL, of padding. */
MQ_KERNEL void mq_depthwise_lines_s8_line(const mq_depthwise_lines_s8_params_t *params,
                                          const int8_t *row,
                                          int32_t channel,
                                          int32_t count,
                                          int8_t *line) {
    const uint32_t padding = (uint32_t)(uint8_t)params->zero_point * 0x01010101u;
    const int32_t end = row == NULL ? 0 : params->input_w;
    for (int32_t x = -params->padding_w; x < params->columns - params->padding_w; x++) {
        uint32_t word = padding;
        if (x >= 0 && x < end) {
            word = mq_depthwise_lines_s8_pixel(params, row + x * params->channels, channel, count);
        }
        mq_store_word(line, word);
        line += 4;
    }
}

/* Row y of the outputs of `count` channels. kept: lines that the last row leaves. */
MQ_KERNEL void mq_depthwise_lines_s8_row(const mq_depthwise_lines_s8_params_t *params,
                                         mq_depthwise_lines_s8_function_t *convolve,
                                         const int8_t *input,
                                         const int32_t *table,
                                         int8_t *scratch,
                                         int32_t channel,
                                         int32_t y,
                                         int32_t kept,
                                         int8_t *output) {
    const int32_t outputs = params->channels * params->multiplier;
    const int32_t count = mq_min(outputs - channel, 4);
    const int32_t line_bytes = 4 * params->columns;
    const int8_t *results = scratch + params->lines * line_bytes;
    memmove(scratch, scratch + (params->lines - kept) * line_bytes, (size_t)(kept * line_bytes));
    for (int32_t i = kept; i < params->lines; i++) {
        const int32_t row = y * params->stride_h - params->padding_h + i;
        const int8_t *in = NULL;
        if (row >= 0 && row < params->input_h) {
            in = input + row * params->input_w * params->channels;
        }
        mq_depthwise_lines_s8_line(params, in, channel, count, scratch + i * line_bytes);
    }
    convolve(params, scratch, table + channel / 4 * mq_depthwise_lines_s8_words(params),
             scratch + params->lines * line_bytes);
    output += y * params->output_w * outputs + channel;
    for (int32_t x = 0; x < params->output_w; x++) {
        for (int32_t i = 0; i < count; i++) {
            output[i] = results[i];
        }
        results += 4;
        output += outputs;
    }
}

/* input [input_h][input_w][channels], output [output_h][output_w][channels * multiplier]; with by_channel
 * it may lie exactly where the input does. scratch: `lines` lines of four channels, a row of results.
 */
MQ_KERNEL void mq_depthwise_lines_s8(const mq_depthwise_lines_s8_params_t *params,
                                     mq_depthwise_lines_s8_function_t *convolve,
                                     const int8_t *input,
                                     const int32_t *table,
                                     int8_t *scratch,
                                     int8_t *output) {
    const int32_t groups = (params->channels * params->multiplier + 3) / 4;
    for (int32_t i = 0; i < groups * params->output_h; i++) {
        const int32_t channel = 4 * (params->by_channel ? i / params->output_h : i % groups);
        const int32_t y = params->by_channel ? i % params->output_h : i / groups;
        const int32_t kept = params->by_channel && y > 0 ? mq_max(params->lines - params->stride_h, 0) : 0;
        mq_depthwise_lines_s8_row(params, convolve, input, table, scratch, channel, y, kept, output);
    }
}

#endif
