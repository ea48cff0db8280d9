/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: int8 mean over height and width, four channels at once (Cortex-M4, M7, M33).
 */
#ifndef MQ_AVERAGE_POOL_2D_S8_DSP_H
#define MQ_AVERAGE_POOL_2D_S8_DSP_H

#include "mq_pixel_sums.h"

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
    int32_t padding_h; /* rows of padding before the input; windows are cut at the border */
    int32_t padding_w;
    int32_t activation_min;
    int32_t activation_max;
} mq_average_pool_2d_s8_dsp_params_t;

/* Halves away from zero. */
static inline int8_t
mq_average_pool_2d_s8_dsp_mean(const mq_average_pool_2d_s8_dsp_params_t *params, int32_t sum, int32_t count) {
    const int32_t mean = (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
    return (int8_t)mq_clamp(mean, params->activation_min, params->activation_max);
}

/* One output pixel: the mean of rows x columns pixels from corner on. */
MQ_KERNEL void mq_average_pool_2d_s8_dsp_window(const mq_average_pool_2d_s8_dsp_params_t *params,
                                                const int8_t *corner,
                                                int32_t rows,
                                                int32_t columns,
                                                int8_t *output) {
    const int32_t step = params->channels;
    const int32_t count = rows * columns;
    /* A window as wide as the image is one run of pixels. */
    const int32_t runs = columns == params->input_w ? 1 : rows;
    const int32_t run = columns == params->input_w ? count : columns;
    const int32_t row_elements = params->input_w * step;
    int32_t channel = 0;
    for (; channel + 4 <= params->channels; channel += 4) {
        int32_t sums[4] = {0, 0, 0, 0};
        for (int32_t i = 0; i < runs; i++) {
            mq_add_pixels(sums, corner + channel + i * row_elements, step, run);
        }
        for (int32_t i = 0; i < 4; i++) {
            output[channel + i] = mq_average_pool_2d_s8_dsp_mean(params, sums[i], count);
        }
    }
    for (; channel < params->channels; channel++) {
        int32_t sum = 0;
        for (int32_t i = 0; i < runs; i++) {
            sum = mq_sum_pixels_1(sum, corner + channel + i * row_elements, step, run);
        }
        output[channel] = mq_average_pool_2d_s8_dsp_mean(params, sum, count);
    }
}

/* input [input_h][input_w][channels], output [output_h][output_w][channels]. */
MQ_KERNEL void mq_average_pool_2d_s8_dsp(const mq_average_pool_2d_s8_dsp_params_t *params,
                                         const int8_t *input,
                                         int8_t *output) {
    const int32_t row_elements = params->input_w * params->channels;
    for (int32_t out_y = 0; out_y < params->output_h; out_y++) {
        const int32_t y = out_y * params->stride_h - params->padding_h;
        const int32_t first_y = mq_max(y, 0);
        const int32_t rows = mq_min(y + params->filter_h, params->input_h) - first_y;
        for (int32_t out_x = 0; out_x < params->output_w; out_x++) {
            const int32_t x = out_x * params->stride_w - params->padding_w;
            const int32_t first_x = mq_max(x, 0);
            const int32_t columns = mq_min(x + params->filter_w, params->input_w) - first_x;
            const int8_t *corner = input + first_y * row_elements + first_x * params->channels;
            mq_average_pool_2d_s8_dsp_window(params, corner, rows, columns, output);
            output += params->channels;
        }
    }
}

#endif
