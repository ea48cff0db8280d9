/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: int8 convolution and fully connected for cores that multiply 32 bits by 32 to 32 and no
 * faster than that: two output channels share each product. Scratch: a strip of input as words.
 */
#ifndef MQ_CONV_2D_PAIRS_S8_H
#define MQ_CONV_2D_PAIRS_S8_H

#include "mq_common.h"
#include "mq_short_requantization.h"

/* What the function for dot products is told. Assembly reads the first five fields; the rest is in it. */
typedef struct {
    const int32_t *end;  /* of the weights */
    const int8_t *table; /* output for u >> shift = 0 */
    int32_t pixels;
    int32_t step;  /* bytes of x from pixel to pixel */
    int32_t bytes; /* of x for one pixel */
    int32_t taps;  /* even */
    int32_t channels;
    mq_short_requantization_t form;
} mq_thumb1_dot_t;

/* output [pixels][channels] from x [pixels] patches, each of `taps` words; weights as pair_weights has
 * them: for four channels and two taps 4 words, then the channels' constants.
 */
typedef void mq_thumb1_dot_function_t(const int32_t *x,
                                      const int32_t *weights,
                                      int8_t *output,
                                      const mq_thumb1_dot_t *walk);

typedef struct {
    int32_t channels;
    int32_t gap; /* words between the channels of one step and of the next */
} mq_thumb1_expand_t;

/* words [steps][channels + gap] from input [steps][channels]. */
typedef void mq_thumb1_expand_function_t(const int8_t *input,
                                         int32_t *words,
                                         int32_t steps,
                                         const mq_thumb1_expand_t *shape);

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
    int32_t block_w;           /* output pixels of a strip */
    int32_t expanded_channels; /* of one step of the expanding function */
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
} mq_conv_2d_pairs_s8_params_t;

/* The weight of one channel (0 to 3) in a quad's words for two taps; tap: 0 or 1. */
static inline int32_t mq_thumb1_weight(const int32_t *words, int32_t channel, int32_t tap) {
    const int32_t word = words[channel / 2 * 2 + tap];
    const int32_t high = (word + 0x8000) >> 16;
    return channel % 2 != 0 ? high : word - high * 0x10000;
}

/* The sum of x * w of one channel of a quad. */
static inline int32_t mq_thumb1_sum(const int32_t *x, const int32_t *weights, int32_t channel, int32_t taps) {
    int32_t acc = 0;
    for (int32_t tap = 0; tap < taps; tap++) {
        acc = mq_mac(acc, x[tap], mq_thumb1_weight(weights + tap / 2 * 4, channel, tap % 2));
    }
    return acc;
}

MQ_TWIN void
mq_thumb1_dot_twin(const int32_t *x, const int32_t *weights, int8_t *output, const mq_thumb1_dot_t *walk) {
    const int32_t words = mq_short_constants(&walk->form);
    for (int32_t pixel = 0; pixel < walk->pixels; pixel++) {
        const int32_t *w = weights;
        for (int32_t quad = 0; quad < walk->channels; quad += 4) {
            const int32_t *constants = w + walk->taps * 2;
            for (int32_t channel = 0; channel < mq_min(4, walk->channels - quad); channel++) {
                const int32_t acc = mq_thumb1_sum(x, w, channel, walk->taps);
                *output++ = mq_short_requantize(&walk->form, constants + channel * words, acc);
            }
            w = constants + 4 * words;
        }
        x += walk->step / 4;
    }
}

MQ_TWIN void
mq_thumb1_expand_twin(const int8_t *input, int32_t *words, int32_t steps, const mq_thumb1_expand_t *shape) {
    for (int32_t step = 0; step < steps; step++) {
        for (int32_t channel = 0; channel < shape->channels; channel++) {
            *words++ = *input++;
        }
        words += shape->gap;
    }
}

/* Rewrite the outputs of channels that have no proof. */
static inline void mq_thumb1_exact(const mq_thumb1_dot_t *walk,
                                   const int32_t *x,
                                   const int32_t *weights,
                                   const int32_t *exact,
                                   int32_t output_channels,
                                   int8_t *output) {
    const int32_t quad = walk->taps * 2 + 4 * mq_short_constants(&walk->form);
    const int32_t channel = exact[0];
    for (int32_t pixel = 0; pixel < walk->pixels; pixel++) {
        const int32_t acc = mq_thumb1_sum(x, weights + channel / 4 * quad, channel % 4, walk->taps);
        output[channel] = mq_exact_requantize(&walk->form, exact, acc);
        output += output_channels;
        x += walk->step / 4;
    }
}

static inline void mq_thumb1_fill(int32_t *words, int32_t count, int32_t value) {
    for (int32_t i = 0; i < count; i++) {
        words[i] = value;
    }
}

/* Lay the windows of output row y, from the pixel on whose first column is `x`, as columns of words:
 * strip [columns][filter_h][input_channels]. Columns of padding stay as they are.
 */
MQ_KERNEL void mq_conv_2d_pairs_s8_strip(const mq_conv_2d_pairs_s8_params_t *params,
                                         const int8_t *input,
                                         int32_t y,
                                         int32_t x,
                                         int32_t columns,
                                         mq_thumb1_expand_function_t *expand,
                                         int32_t *strip) {
    const int32_t channels = params->input_channels;
    const int32_t column = params->filter_h * channels;
    const int32_t first = mq_max(x, 0);
    const int32_t count = mq_min(x + columns, params->input_w) - first;
    const int32_t parts = channels / params->expanded_channels;
    mq_thumb1_expand_t shape;
    shape.channels = params->expanded_channels;
    shape.gap = column - channels;
    if (count <= 0) {
        return;
    }
    strip += (first - x) * column;
    for (int32_t tap = 0; tap < params->filter_h; tap++) {
        const int32_t row = y + tap;
        if (row < 0 || row >= params->input_h) {
            for (int32_t i = 0; i < count; i++) {
                mq_thumb1_fill(strip + i * column, channels, params->input_zero_point);
            }
        } else {
            expand(input + (row * params->input_w + first) * channels, strip, count * parts, &shape);
        }
        strip += channels;
    }
}

/* input [input_h][input_w][input_channels], output [output_h][output_w][output_channels].
 * table: outputs for u >> shift from table_lowest on. exact [exact_channels][MQ_EXACT_WORDS].
 * scratch: words for block_w windows, and one more if the number of taps is odd.
 */
MQ_KERNEL void mq_conv_2d_pairs_s8(const mq_conv_2d_pairs_s8_params_t *params,
                                   const int8_t *input,
                                   const int32_t *weights,
                                   const int8_t *table,
                                   const int32_t *exact,
                                   mq_thumb1_dot_function_t *dot,
                                   mq_thumb1_expand_function_t *expand,
                                   int8_t *scratch,
                                   int8_t *output) {
    int32_t *strip = (int32_t *)(void *)scratch;
    const int32_t column = params->filter_h * params->input_channels;
    const int32_t columns = (params->block_w - 1) * params->stride_w + params->filter_w;
    mq_thumb1_dot_t walk;
    walk.taps = (params->filter_w * column + 1) / 2 * 2;
    walk.bytes = walk.taps * 4;
    walk.channels = params->output_channels;
    walk.step = params->stride_w * column * 4;
    walk.table = table - params->table_lowest;
    walk.form = MQ_SHORT_FORM(params);
    walk.end =
        weights + (params->output_channels + 3) / 4 * (walk.taps * 2 + 4 * mq_short_constants(&walk.form));
    mq_thumb1_fill(strip, columns * column + params->filter_w * column % 2, params->input_zero_point);
    for (int32_t y = 0; y < params->output_h; y++) {
        for (int32_t x = 0; x < params->output_w; x += params->block_w) {
            walk.pixels = mq_min(params->block_w, params->output_w - x);
            mq_conv_2d_pairs_s8_strip(params, input, y * params->stride_h - params->padding_h,
                                      x * params->stride_w - params->padding_w,
                                      (walk.pixels - 1) * params->stride_w + params->filter_w, expand, strip);
            dot(strip, weights, output, &walk);
            for (int32_t i = 0; i < params->exact_channels; i++) {
                mq_thumb1_exact(&walk, strip, weights, exact + i * MQ_EXACT_WORDS, params->output_channels,
                                output);
            }
            output += walk.pixels * params->output_channels;
        }
    }
}

#endif
