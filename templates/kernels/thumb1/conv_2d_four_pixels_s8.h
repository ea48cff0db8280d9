/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: int8 convolution for cores that multiply 32 bits by 32 to 32 and no faster than that, from
 * weights as they are: two pixels share each product. Scratch: four windows.
 */
#ifndef MQ_CONV_2D_FOUR_PIXELS_S8_H
#define MQ_CONV_2D_FOUR_PIXELS_S8_H

#include "mq_common.h"
#include "mq_short_requantization.h"

/* What the function for products is told. Assembly reads the first six fields; the rest is in it. */
typedef struct {
    int32_t channels;
    int32_t offsets[3]; /* from the output of pixel 0 to those of pixels 1 to 3; 0: no such pixel */
    const int32_t *constants;
    int32_t bytes; /* of x: four windows as words of two pixels */
    int32_t taps;  /* even */
    mq_short_requantization_t form;
} mq_thumb1_four_pixels_t;

/* Outputs [channels] of four pixels. x [taps / 2][2 pairs of pixels][2 taps]; weights [channels][taps]. */
typedef void mq_thumb1_four_pixels_function_t(const int32_t *x,
                                              const int8_t *weights,
                                              int8_t *output,
                                              const mq_thumb1_four_pixels_t *walk);

/* words [taps / 2][2 pairs of pixels][2 taps] from bytes of pixel 0; others lie at the offsets. */
typedef void
mq_thumb1_interleave_function_t(const int8_t *bytes, int32_t *words, int32_t taps, const int32_t *offsets);

typedef struct {
    int32_t input_h;
    int32_t input_w;
    int32_t input_channels;
    int32_t filter_h;
    int32_t filter_w;
    int32_t output_h;
    int32_t output_w;
    int32_t output_channels;
    int32_t stride_h;
    int32_t stride_w;
    int32_t padding_h;
    int32_t padding_w;
    int32_t input_zero_point;
    int32_t is_in_order; /* a window is a pixel: it need not be copied */
    int32_t exact_channels;
    int32_t digits; /* from here on: mq_short_requantization_t */
    int32_t digit_bits;
    int32_t shift;
    int32_t is_signed;
    int32_t origin;
    int32_t output_zero_point;
    int32_t activation_min;
    int32_t activation_max;
} mq_conv_2d_four_pixels_s8_params_t;

/* The sum of x * w of one pixel (0 to 3). */
static inline int32_t
mq_thumb1_pixel_sum(const int32_t *x, const int8_t *weights, int32_t pixel, int32_t taps) {
    int32_t acc = 0;
    for (int32_t tap = 0; tap < taps; tap++) {
        const int32_t word = x[tap / 2 * 4 + pixel / 2 * 2 + tap % 2];
        const int32_t high = (word + 0x8000) >> 16;
        acc = mq_mac(acc, pixel % 2 != 0 ? high : word - high * 0x10000, weights[tap]);
    }
    return acc;
}

MQ_TWIN void mq_thumb1_four_pixels_twin(const int32_t *x,
                                        const int8_t *weights,
                                        int8_t *output,
                                        const mq_thumb1_four_pixels_t *walk) {
    const int32_t *constants = walk->constants;
    for (int32_t channel = 0; channel < walk->channels; channel++) {
        for (int32_t pixel = 3; pixel >= 0; pixel--) {
            const int32_t acc = mq_thumb1_pixel_sum(x, weights, pixel, walk->taps);
            output[pixel > 0 ? walk->offsets[pixel - 1] : 0] =
                mq_short_requantize(&walk->form, constants, acc);
        }
        constants += mq_short_constants(&walk->form);
        weights += walk->taps;
        output++;
    }
}

MQ_TWIN void
mq_thumb1_interleave_twin(const int8_t *bytes, int32_t *words, int32_t taps, const int32_t *offsets) {
    for (int32_t tap = 0; tap < taps; tap++) {
        int32_t *word = words + tap / 2 * 4 + tap % 2;
        word[0] = bytes[tap] + bytes[tap + offsets[0]] * 0x10000;
        word[2] = bytes[tap + offsets[1]] + bytes[tap + offsets[2]] * 0x10000;
    }
}

/* Copy the window at row y, column x; zero_point where it is outside the input. */
MQ_KERNEL void mq_conv_2d_four_pixels_s8_window(const mq_conv_2d_four_pixels_s8_params_t *params,
                                                const int8_t *input,
                                                int32_t y,
                                                int32_t x,
                                                int8_t *bytes) {
    const int32_t channels = params->input_channels;
    const int32_t row_bytes = params->filter_w * channels;
    const int32_t first = mq_max(-x, 0);
    const int32_t end = mq_max(mq_min(params->filter_w, params->input_w - x), first);
    for (int32_t tap = 0; tap < params->filter_h; tap++) {
        const int32_t row = y + tap;
        const int32_t is_outside = row < 0 || row >= params->input_h || first >= end;
        if (is_outside || first > 0 || end < params->filter_w) {
            memset(bytes, params->input_zero_point, (size_t)row_bytes);
        }
        if (!is_outside) {
            const int8_t *from = input + (row * params->input_w + x + first) * channels;
            memcpy(bytes + first * channels, from, (size_t)((end - first) * channels));
        }
        bytes += row_bytes;
    }
}

/* input [input_h][input_w][input_channels], weights [output_channels][taps made even],
 * constants [output_channels][words], exact [exact_channels][MQ_EXACT_WORDS],
 * output [output_h][output_w][output_channels].
 */
MQ_KERNEL void mq_conv_2d_four_pixels_s8(const mq_conv_2d_four_pixels_s8_params_t *params,
                                         const int8_t *input,
                                         const int8_t *weights,
                                         const int32_t *constants,
                                         const int32_t *exact,
                                         mq_thumb1_four_pixels_function_t *four_pixels,
                                         mq_thumb1_interleave_function_t *interleave,
                                         int8_t *scratch,
                                         int8_t *output) {
    const int32_t channels = params->input_channels;
    const int32_t taps = (params->filter_h * params->filter_w * channels + 1) / 2 * 2;
    int32_t *words = (int32_t *)(void *)scratch;
    int8_t *windows = scratch + taps * 8;
    mq_thumb1_four_pixels_t walk;
    walk.channels = params->output_channels;
    walk.constants = constants;
    walk.bytes = taps * 8;
    walk.taps = taps;
    walk.form = MQ_SHORT_FORM(params);
    if (!params->is_in_order) {
        memset(windows, 0, (size_t)(taps * 4));
    }
    for (int32_t y = 0; y < params->output_h; y++) {
        for (int32_t x = 0; x < params->output_w; x += 4) {
            const int32_t pixels = mq_min(4, params->output_w - x);
            const int32_t row = y * params->stride_h - params->padding_h;
            const int32_t column = x * params->stride_w - params->padding_w;
            const int32_t step = params->is_in_order ? params->stride_w * channels : taps;
            int32_t offsets[3];
            for (int32_t i = 0; i < 3; i++) {
                offsets[i] = i + 1 < pixels ? (i + 1) * step : 0;
                walk.offsets[i] = i + 1 < pixels ? (i + 1) * params->output_channels : 0;
            }
            if (params->is_in_order) {
                interleave(input + (row * params->input_w + column) * channels, words, taps, offsets);
            } else {
                for (int32_t i = 0; i < pixels; i++) {
                    mq_conv_2d_four_pixels_s8_window(params, input, row, column + i * params->stride_w,
                                                     windows + i * taps);
                }
                interleave(windows, words, taps, offsets);
            }
            four_pixels(words, weights, output, &walk);
            for (int32_t i = 0; i < params->exact_channels; i++) {
                const int32_t *proof = exact + i * MQ_EXACT_WORDS;
                for (int32_t pixel = 0; pixel < pixels; pixel++) {
                    const int32_t acc = mq_thumb1_pixel_sum(words, weights + *proof * taps, pixel, taps);
                    output[pixel * params->output_channels + *proof] =
                        mq_exact_requantize(&walk.form, proof, acc);
                }
            }
            output += pixels * params->output_channels;
        }
    }
}

#endif
