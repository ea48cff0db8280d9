/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: int8 convolution on Helium. Rows of the input are copied into a ring of padded rows, or read
 * where they lie if there is no padding.
 */
#ifndef MQ_CONV_2D_S8_MVE_H
#define MQ_CONV_2D_S8_MVE_H

#include "mq_mve.h"

#define MQ_CONV_2D_S8_MVE_ROWS 16

/* A run of output pixels is an output row, or all of them. In bytes where nothing else is said. */
typedef struct {
    int32_t input_h; /* rows */
    int32_t input_row;
    int32_t filter_h;  /* rows */
    int32_t stride_h;  /* rows */
    int32_t padding_h; /* rows */
    int32_t padding_row;
    int32_t ring_row; /* 0: the input is read in place */
    int32_t input_zero_point;
    int32_t segment; /* of a 1x1 filter's channels that are cut into `rows` parts; else 0 */
    int32_t runs;
    int32_t run_pixels;
    int32_t pixels;
    int32_t channels;
    int32_t rows;
    int32_t vectors;
    int32_t vector_bytes;
    int32_t run_bytes;
    int32_t taps;
    int32_t depth;
    int32_t stride_w;
    int32_t pixel_input;
    int32_t pixel_output;
    int32_t output_zero_point;
    int32_t activation_min;
    int32_t activation_max;
} mq_conv_2d_s8_mve_params_t;

/* Copies input rows up to before `end` into the ring. Returns the first that is not there yet. */
static inline int32_t mq_conv_2d_s8_mve_fill(
    const mq_conv_2d_s8_mve_params_t *params, const int8_t *input, int8_t *ring, int32_t next, int32_t end) {
    for (; next < mq_min(end, params->input_h); next++) {
        mq_mve_copy(ring + next % params->filter_h * params->ring_row + params->padding_row,
                    input + next * params->input_row, params->input_row);
    }
    return next;
}

/* The pixels of one run; those left over by groups are done with some that are done already. */
static inline void mq_conv_2d_s8_mve_run(const mq_conv_2d_s8_mve_params_t *params,
                                         const mq_mve_dots_t *shape,
                                         const int8_t **rows,
                                         const int8_t *packed,
                                         mq_mve_dots_function_t *dots,
                                         int8_t *output) {
    dots(rows, output, packed, params->run_pixels / params->pixels, shape);
    if (params->run_pixels % params->pixels != 0) {
        const int32_t pixel = params->run_pixels - params->pixels;
        for (int32_t row = 0; row < params->rows; row++) {
            rows[row] += pixel * params->pixel_input;
        }
        dots(rows, output + pixel * params->pixel_output, packed, 1, shape);
    }
}

/* input NHWC, output NHWC. packed: see kernels/mve/dots.py. */
MQ_KERNEL void mq_conv_2d_s8_mve(const mq_conv_2d_s8_mve_params_t *params,
                                 const int8_t *input,
                                 const int8_t *packed,
                                 mq_mve_dots_function_t *dots,
                                 int8_t *ring,
                                 int8_t *output) {
    const mq_mve_dots_t shape = {
        params->pixels,       params->channels,
        params->rows,         params->vectors,
        params->vector_bytes, params->run_bytes,
        params->taps,         params->depth,
        params->stride_w,     params->pixel_input,
        params->pixel_output, {params->output_zero_point, params->activation_min, params->activation_max},
    };
    const int8_t *rows[MQ_CONV_2D_S8_MVE_ROWS];
    const int32_t slots = params->filter_h + 1;
    int32_t next = 0;
    if (params->ring_row != 0) {
        memset(ring, params->input_zero_point, (size_t)(slots * params->ring_row));
    }
    for (int32_t run = 0; run < params->runs; run++) {
        const int32_t top = run * params->stride_h - params->padding_h;
        if (params->ring_row != 0) {
            next = mq_conv_2d_s8_mve_fill(params, input, ring, mq_max(next, top), top + params->filter_h);
        }
        for (int32_t row = 0; row < params->rows; row++) {
            const int32_t y = mq_mve_opaque(top + row);
            if (params->segment != 0) {
                rows[row] = input + top * params->input_row +
                            mq_min(row * params->segment, params->depth - params->segment);
            } else if (params->ring_row == 0) {
                rows[row] = input + y * params->input_row;
            } else {
                const int32_t slot = y < 0 || y >= params->input_h ? params->filter_h : y % params->filter_h;
                rows[row] = ring + slot * params->ring_row;
            }
        }
        mq_conv_2d_s8_mve_run(params, &shape, rows, packed, dots,
                              output + run * params->run_pixels * params->pixel_output);
    }
}

#endif
