/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: bilinear resizing of float32 images, any CPU.
 */
#ifndef MQ_RESIZE_BILINEAR_F32_H
#define MQ_RESIZE_BILINEAR_F32_H

#include "mq_float.h"

typedef struct {
    int32_t images;
    int32_t input_h;
    int32_t input_w;
    int32_t output_h;
    int32_t output_w;
    int32_t channels;
    float half;    /* 0.5 where the centres of pixels are compared, else 0 */
    float scale_h; /* rows of the input for each one of the output */
    float scale_w;
} mq_resize_bilinear_f32_params_t;

/* Along one axis: the pixels before and behind a place, and its distance from the one before. */
typedef struct {
    int32_t low;
    int32_t high;
    float fraction; /* negative before the first pixel */
} mq_resize_float_place_t;

static inline mq_resize_float_place_t
mq_resize_float_place(int32_t index, float half, float scale, int32_t size) {
    const float at = ((float)index + half) * scale - half;
    const int32_t whole = (int32_t)at;
    mq_resize_float_place_t place;
    place.low = whole;
    place.high = (float)whole < at ? whole + 1 : whole;
    place.high = place.high < size ? place.high : size - 1;
    place.fraction = at - (float)place.low;
    return place;
}

/* input [images][input_h][input_w][channels], output [images][output_h][output_w][channels]. */
MQ_KERNEL void
mq_resize_bilinear_f32(const mq_resize_bilinear_f32_params_t *params, const float *input, float *output) {
    const int32_t channels = params->channels;
    for (int32_t i = 0; i < params->images; i++) {
        for (int32_t y = 0; y < params->output_h; y++) {
            const mq_resize_float_place_t row =
                mq_resize_float_place(y, params->half, params->scale_h, params->input_h);
            const float *above = input + row.low * params->input_w * channels;
            const float *below = input + row.high * params->input_w * channels;
            for (int32_t x = 0; x < params->output_w; x++) {
                const mq_resize_float_place_t column =
                    mq_resize_float_place(x, params->half, params->scale_w, params->input_w);
                const int32_t left = column.low * channels;
                const int32_t right = column.high * channels;
                const float above_left = (1.0f - row.fraction) * (1.0f - column.fraction);
                const float below_left = row.fraction * (1.0f - column.fraction);
                const float above_right = (1.0f - row.fraction) * column.fraction;
                const float below_right = row.fraction * column.fraction;
                for (int32_t c = 0; c < channels; c++) {
                    *output++ = above[left + c] * above_left + below[left + c] * below_left +
                                above[right + c] * above_right + below[right + c] * below_right;
                }
            }
        }
        input += params->input_h * params->input_w * channels;
    }
}

#endif
