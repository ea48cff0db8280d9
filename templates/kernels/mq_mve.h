/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: what the kernels for Helium share, and C twins of their inner loops. A twin computes the same
 * bytes from the same streams in the same order, touching the same memory.
 */
#ifndef MQ_MVE_H
#define MQ_MVE_H

#include "mq_common.h"

#define MQ_MVE_VECTOR 16

/* Where results end up. */
typedef struct {
    int32_t zero_point;
    int32_t low;
    int32_t high;
} mq_mve_output_t;

#if defined(__ARM_FEATURE_MVE)
typedef int8_t mq_mve_bytes_t __attribute__((vector_size(16), aligned(1), may_alias));
#endif

/* x, of which the compiler knows nothing: loops that choose rows are not worth vectors, and gcc 12 cannot
 * assemble some that it makes of them (a predicate as `mov ip, #-4096`).
 */
static inline int32_t mq_mve_opaque(int32_t x) {
#if defined(__ARM_FEATURE_MVE) && defined(__GNUC__)
    __asm__("" : "+r"(x));
#endif
    return x;
}

/* memcpy, a vector at a time where there are vectors. */
static inline void mq_mve_copy(int8_t *to, const int8_t *from, int32_t count) {
#if defined(__ARM_FEATURE_MVE)
    if (count >= MQ_MVE_VECTOR) {
        for (int32_t vectors = count / MQ_MVE_VECTOR; vectors > 0; vectors--) {
            *(mq_mve_bytes_t *)to = *(const mq_mve_bytes_t *)from;
            to += MQ_MVE_VECTOR;
            from += MQ_MVE_VECTOR;
        }
        const int32_t back = MQ_MVE_VECTOR - count % MQ_MVE_VECTOR;
        *(mq_mve_bytes_t *)(to - back) = *(const mq_mve_bytes_t *)(from - back);
        return;
    }
#endif
    memcpy(to, from, (size_t)count);
}

static inline int32_t mq_mve_word(const int8_t *stream) {
    int32_t word;
    memcpy(&word, stream, sizeof word);
    return word;
}

static inline int8_t
mq_mve_requantize(int32_t acc, int32_t multiplier, int32_t shift, mq_mve_output_t output) {
    return mq_requantize_to_int8(acc, multiplier, shift, output.zero_point, output.low, output.high);
}

static inline int32_t mq_mve_dot(int32_t acc, const int8_t *x, const int8_t *weights, int32_t count) {
    for (int32_t k = 0; k < count; k++) {
        acc = mq_mac(acc, x[k], weights[k]);
    }
    return acc;
}

/* Dot products of pixels' windows with all channels: the shape of one inner loop, in bytes.
 * A window is `rows` runs of run_bytes each, cut into vectors; the last one ends where the run ends.
 * taps: 0, or the filter's width if vectors are depth / 16 slices of each tap, in an order in which
 * neighbouring pixels share inputs: taps of one remainder by stride after the other.
 */
typedef struct {
    int32_t pixels; /* done at once */
    int32_t channels;
    int32_t rows;
    int32_t vectors; /* of each row */
    int32_t vector_bytes;
    int32_t run_bytes;
    int32_t taps;
    int32_t depth;
    int32_t stride;
    int32_t pixel_input; /* from one pixel to the next */
    int32_t pixel_output;
    mq_mve_output_t output;
} mq_mve_dots_t;

/* rows: for each row, pixel 0's run. groups: of pixels. packed: see kernels/mve/dots.py. */
typedef void mq_mve_dots_function_t(const int8_t *const *rows,
                                    int8_t *output,
                                    const int8_t *packed,
                                    int32_t groups,
                                    const mq_mve_dots_t *shape);

static inline int32_t mq_mve_vector_offset(const mq_mve_dots_t *shape, int32_t vector) {
    if (shape->taps == 0) {
        return mq_min(vector * MQ_MVE_VECTOR, mq_max(shape->run_bytes - MQ_MVE_VECTOR, 0));
    }
    int32_t tap = vector % shape->taps;
    for (int32_t first = 0;; first++) {
        const int32_t count = (shape->taps - first + shape->stride - 1) / shape->stride;
        if (tap < count) {
            return (first + tap * shape->stride) * shape->depth + vector / shape->taps * MQ_MVE_VECTOR;
        }
        tap -= count;
    }
}

MQ_TWIN void mq_mve_dots_twin(const int8_t *const *rows,
                              int8_t *output,
                              const int8_t *packed,
                              int32_t groups,
                              const mq_mve_dots_t *shape) {
    const int32_t weights_bytes = shape->rows * shape->vectors * 2 * MQ_MVE_VECTOR;
    for (int32_t pixel = 0; pixel < groups * shape->pixels; pixel++) {
        const int8_t *stream = packed;
        for (int32_t channel = 0; channel < shape->channels; channel += 2) {
            const int8_t *parameters = stream + weights_bytes;
            for (int32_t i = 0; i < 2; i++) {
                const int8_t *weights = stream + i * MQ_MVE_VECTOR;
                int32_t acc = mq_mve_word(parameters + 4 * i);
                for (int32_t row = 0; row < shape->rows; row++) {
                    const int8_t *run = rows[row] + pixel * shape->pixel_input;
                    for (int32_t vector = 0; vector < shape->vectors; vector++) {
                        acc = mq_mve_dot(acc, run + mq_mve_vector_offset(shape, vector), weights,
                                         shape->vector_bytes);
                        weights += 2 * MQ_MVE_VECTOR;
                    }
                }
                output[pixel * shape->pixel_output + channel + i] =
                    mq_mve_requantize(acc, mq_mve_word(parameters + 8 + 4 * i),
                                      mq_mve_word(parameters + 16 + 4 * i), shape->output);
            }
            stream = parameters + 24;
        }
    }
}

/* Depthwise sums over patches of 16 bytes in a buffer of words [word][channel][4], strip after strip: see
 * kernels/mve/patches.py.
 */
typedef struct {
    int32_t rows;       /* of outputs in a strip */
    int32_t tile;       /* columns of outputs from one patch */
    int32_t tile_words; /* from one patch to the next */
    int32_t columns;    /* of outputs */
    int32_t channels;   /* of the buffer */
    int32_t strip_words;
    int32_t output_column; /* bytes from one output to the next */
    int32_t output_row;
    mq_mve_output_t output;
} mq_mve_patches_t;

/* For so many channels; buffer, output and packed point at the first of them. */
typedef void mq_mve_patches_function_t(const int8_t *buffer,
                                       int8_t *output,
                                       const int8_t *packed,
                                       int32_t strips,
                                       int32_t channels,
                                       const mq_mve_patches_t *shape);

#define MQ_MVE_CHANNEL_BYTES 28

/* The sum of one channel's patch with its filter, shifted by some bytes inside the patch. */
static inline int32_t
mq_mve_patch(const int8_t *patch, const int8_t *channel, int32_t shift, int32_t word_bytes) {
    int32_t acc = mq_mve_word(channel + MQ_MVE_VECTOR);
    for (int32_t i = shift; i < MQ_MVE_VECTOR; i++) {
        acc = mq_mac(acc, patch[i / 4 * word_bytes + i % 4], channel[i - shift]);
    }
    return acc;
}

MQ_TWIN void mq_mve_patches_twin(const int8_t *buffer,
                                 int8_t *output,
                                 const int8_t *packed,
                                 int32_t strips,
                                 int32_t channels,
                                 const mq_mve_patches_t *shape) {
    const int32_t word_bytes = 4 * shape->channels;
    for (int32_t channel = 0; channel < channels; channel++) {
        for (int32_t i = 0; i < strips * shape->rows * shape->columns; i++) {
            const int32_t row = i / shape->columns;
            const int32_t column = i % shape->columns;
            int32_t first = column / shape->tile * shape->tile;
            if (shape->rows == 2) {
                first = mq_min(first, shape->columns - shape->tile);
            }
            const int32_t shift = (column - first) * (shape->rows == 2 ? 4 : 1) + row % shape->rows;
            const int32_t word = row / shape->rows * shape->strip_words +
                                 first / shape->tile * shape->tile_words + first % shape->tile;
            const int32_t acc =
                mq_mve_patch(buffer + word * word_bytes + 4 * channel, packed, shift, word_bytes);
            output[row * shape->output_row + column * shape->output_column + channel] =
                mq_mve_requantize(acc, mq_mve_word(packed + MQ_MVE_VECTOR + 4),
                                  mq_mve_word(packed + MQ_MVE_VECTOR + 8), shape->output);
        }
        packed += MQ_MVE_CHANNEL_BYTES;
    }
}

/* Four rows to words: vectors of 16 bytes, `step` bytes apart in each row, to words[16][4] each. */
typedef void
mq_mve_interleave_function_t(const int8_t *const *rows, int8_t *words, int32_t vectors, int32_t step);

MQ_TWIN void mq_mve_interleave_twin(const int8_t *const *rows, int8_t *words, int32_t vectors, int32_t step) {
    for (int32_t i = 0; i < vectors * MQ_MVE_VECTOR * 4; i++) {
        const int32_t vector = i / (MQ_MVE_VECTOR * 4);
        words[i] = rows[i % 4][vector * step + i / 4 % MQ_MVE_VECTOR];
    }
}

#endif
