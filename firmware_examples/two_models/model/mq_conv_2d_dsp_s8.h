/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: int8 convolution with byte-interleaved weights, for the DSP extension.
 */
#ifndef MQ_CONV_2D_DSP_S8_H
#define MQ_CONV_2D_DSP_S8_H

#include "mq_dsp_linear.h"

typedef struct {
    int32_t pairs;        /* of inputs of a window; the assembly for all shapes reads this and three more */
    int32_t pixel_step;   /* elements from a pixel's window to the next one's */
    int32_t output_bytes; /* of a pixel, in whole blocks */
    int32_t shift;        /* of requantization */
    int32_t input_h;
    int32_t input_w;
    int32_t channels;
    int32_t filter_h;
    int32_t filter_w;
    int32_t output_h;
    int32_t output_w;
    int32_t outputs; /* output channels */
    int32_t stride_h;
    int32_t stride_w;
    int32_t dilation_h;
    int32_t dilation_w;
    int32_t padding_h;
    int32_t padding_w;
    int32_t zero_point;     /* of the input */
    int32_t strip;          /* output pixels whose input is expanded at once */
    int32_t shares_columns; /* of windows side by side */
    int32_t is_flat;        /* one row of pixels, each the window of its output pixel */
    int32_t staging;        /* where in scratch outputs go that are not whole blocks */
    int32_t has_steps;
    int32_t low;
    int32_t high;
    int32_t slow_channels; /* channels that plain C computes, and what it takes */
    int32_t output_zero_point;
    int32_t activation_min;
    int32_t activation_max;
} mq_conv_2d_dsp_s8_params_t;

/* All output channels of `pixels` windows in x, pixel_step elements apart. blocks: kernels/dsp/linear.py.
 * output: whole blocks of four channels for each pixel.
 */
typedef void mq_conv_2d_dsp_s8_function_t(const int16_t *x,
                                          const int32_t *blocks,
                                          int8_t *output,
                                          int32_t pixels,
                                          const mq_conv_2d_dsp_s8_params_t *params);

MQ_TWIN void mq_conv_2d_dsp_s8_twin(const int16_t *x,
                                    const int32_t *blocks,
                                    int8_t *output,
                                    int32_t pixels,
                                    const mq_conv_2d_dsp_s8_params_t *params) {
    for (int32_t pixel = 0; pixel < pixels; pixel++) {
        const int32_t *block = blocks;
        for (int32_t output_channel = 0; output_channel < params->outputs; output_channel += 4) {
            int32_t acc[4];
            memcpy(acc, block, sizeof acc);
            block += 4;
            for (int32_t k = 0; k < params->pairs; k++) {
                mq_dsp_products(acc, mq_load_word(x + 2 * k), block[0], block[1]);
                block += 2;
            }
            block = mq_dsp_requantize(acc, block, params->shift, params->has_steps, params->low, params->high,
                                      output);
            output += 4;
        }
        x += params->pixel_step;
    }
}

/* A row of a patch: `columns` columns, `step` input columns apart, from input column x on. row: the input
 * row that it is of, NULL outside of the input.
 */
MQ_KERNEL void mq_conv_2d_dsp_s8_row(const mq_conv_2d_dsp_s8_params_t *params,
                                     mq_dsp_expand_function_t *expand,
                                     const int8_t *row,
                                     int32_t x,
                                     int32_t step,
                                     int32_t columns,
                                     int16_t *to) {
    const int32_t channels = params->channels;
    const int32_t column_size = params->filter_h * channels;
    int32_t count;
    for (int32_t i = 0; i < columns; i += count) {
        count = 1;
        if (row == NULL || x < 0 || x >= params->input_w) {
            mq_dsp_fill(to, params->zero_point, channels);
        } else if (channels % 4 == 0) {
            /* As many as lie side by side. */
            count = step == 1 ? mq_min(columns - i, params->input_w - x) : 1;
            expand(to, row + x * channels, channels / 4, count, 2 * column_size);
        } else {
            mq_dsp_expand_bytes(to, row + x * channels, channels);
        }
        x += step * count;
        to += column_size * count;
    }
}

/* The patch of `pixels` output pixels from (y, x) on; y, x: their windows' first row and column. */
MQ_KERNEL void mq_conv_2d_dsp_s8_patch(const mq_conv_2d_dsp_s8_params_t *params,
                                       mq_dsp_expand_function_t *expand,
                                       const int8_t *input,
                                       int32_t y,
                                       int32_t x,
                                       int32_t pixels,
                                       int16_t *patch) {
    for (int32_t tap = 0; tap < params->filter_h; tap++) {
        const int8_t *row = NULL;
        if (y >= 0 && y < params->input_h) {
            row = input + y * params->input_w * params->channels;
        }
        if (params->shares_columns) {
            const int32_t columns = (pixels - 1) * params->stride_w + params->filter_w;
            mq_conv_2d_dsp_s8_row(params, expand, row, x, 1, columns, patch);
        } else {
            for (int32_t pixel = 0; pixel < pixels; pixel++) {
                mq_conv_2d_dsp_s8_row(params, expand, row, x + pixel * params->stride_w, params->dilation_w,
                                      params->filter_w, patch + pixel * params->pixel_step);
            }
        }
        y += params->dilation_h;
        patch += params->channels;
    }
}

/* The patch of `pixels` pixels that are windows themselves. */
static inline void mq_conv_2d_dsp_s8_flat(const mq_conv_2d_dsp_s8_params_t *params,
                                          mq_dsp_expand_function_t *expand,
                                          const int8_t *input,
                                          int32_t pixels,
                                          int16_t *patch) {
    if (params->channels % 4 == 0) {
        expand(patch, input, pixels * params->channels / 4, 1, 0);
    } else {
        mq_dsp_expand_bytes(patch, input, pixels * params->channels);
    }
}

/* The slow channels of `pixels` windows: channel, start, multiplier, shift and weights of each. */
MQ_KERNEL void mq_conv_2d_dsp_s8_slow(const mq_conv_2d_dsp_s8_params_t *params,
                                      const int16_t *x,
                                      const int32_t *slow,
                                      int32_t pixels,
                                      int8_t *output) {
    const int32_t window = params->filter_h * params->filter_w * params->channels;
    for (int32_t i = 0; i < params->slow_channels; i++) {
        for (int32_t pixel = 0; pixel < pixels; pixel++) {
            int32_t acc = slow[1];
            for (int32_t k = 0; k < window; k++) {
                acc = mq_mac(acc, x[pixel * params->pixel_step + k], slow[4 + k]);
            }
            output[pixel * params->outputs + slow[0]] =
                mq_requantize_to_int8(acc, slow[2], slow[3], params->output_zero_point,
                                      params->activation_min, params->activation_max);
        }
        slow += 4 + window;
    }
}

/* input [input_h][input_w][channels], output [output_h][output_w][outputs].
 * scratch: the patch of a strip as int16, then staged outputs.
 */
MQ_KERNEL void mq_conv_2d_dsp_s8(const mq_conv_2d_dsp_s8_params_t *params,
                                 const int8_t *input,
                                 const int32_t *blocks,
                                 const int32_t *slow_channels,
                                 int8_t *scratch,
                                 mq_dsp_expand_function_t *expand,
                                 mq_conv_2d_dsp_s8_function_t *sweep,
                                 int8_t *output) {
    int16_t *patch = (int16_t *)(void *)scratch;
    for (int32_t y = 0; y < params->output_h; y++) {
        int32_t pixels;
        for (int32_t x = 0; x < params->output_w; x += pixels) {
            pixels = mq_min(params->strip, params->output_w - x);
            if (params->is_flat) {
                mq_conv_2d_dsp_s8_flat(params, expand, input + x * params->channels, pixels, patch);
            } else {
                mq_conv_2d_dsp_s8_patch(params, expand, input, y * params->stride_h - params->padding_h,
                                        x * params->stride_w - params->padding_w, pixels, patch);
            }
            if (params->outputs % 4 == 0) {
                sweep(patch, blocks, output, pixels, params);
            } else {
                sweep(patch, blocks, scratch + params->staging, pixels, params);
                mq_dsp_unstage(output, scratch + params->staging, params->outputs, pixels);
            }
            mq_conv_2d_dsp_s8_slow(params, patch, slow_channels, pixels, output);
            output += pixels * params->outputs;
        }
    }
}

#endif
