/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: bilinear resizing of int8 images, any CPU.
 */
#ifndef MQ_RESIZE_BILINEAR_S8_H
#define MQ_RESIZE_BILINEAR_S8_H

#include "mq_resize.h"

typedef struct {
    int32_t images;
    int32_t input_h;
    int32_t input_w;
    int32_t output_h;
    int32_t output_w;
    int32_t channels;
    int32_t start_h; /* the first row's place in the input, in 1/1024 rows */
    int32_t start_w;
    int32_t step_h; /* from each row's place to the next */
    int32_t step_w;
} mq_resize_bilinear_s8_params_t;

/* input [images][input_h][input_w][channels], output [images][output_h][output_w][channels]. */
MQ_KERNEL void
mq_resize_bilinear_s8(const mq_resize_bilinear_s8_params_t *params, const int8_t *input, int8_t *output) {
    const int32_t channels = params->channels;
    for (int32_t i = 0; i < params->images; i++) {
        for (int32_t y = 0; y < params->output_h; y++) {
            const mq_resize_place_t row =
                mq_resize_place(params->start_h + y * params->step_h, params->input_h);
            const int8_t *above = input + row.low * params->input_w * channels;
            const int8_t *below = input + row.high * params->input_w * channels;
            for (int32_t x = 0; x < params->output_w; x++) {
                const mq_resize_place_t column =
                    mq_resize_place(params->start_w + x * params->step_w, params->input_w);
                const int32_t left = column.low * channels;
                const int32_t right = column.high * channels;
                const int32_t above_left = (1024 - row.fraction) * (1024 - column.fraction);
                const int32_t below_left = row.fraction * (1024 - column.fraction);
                const int32_t above_right = (1024 - row.fraction) * column.fraction;
                const int32_t below_right = row.fraction * column.fraction;
                for (int32_t c = 0; c < channels; c++) {
                    const int32_t sum = above[left + c] * above_left + below[left + c] * below_left +
                                        above[right + c] * above_right + below[right + c] * below_right;
                    *output++ = (int8_t)((sum + (sum > 0 ? 524288 : -524288)) / 1048576);
                }
            }
        }
        input += params->input_h * params->input_w * channels;
    }
}

#endif
