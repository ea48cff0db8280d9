/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: float32 convolution over height and width, any CPU; weights float32, half or int8. No scratch.
 */
#ifndef MQ_CONV_2D_F32_H
#define MQ_CONV_2D_F32_H

#include "mq_float_weights.h"

typedef struct {
    int32_t input_h;
    int32_t input_w;
    int32_t input_channels;
    int32_t filter_h;
    int32_t filter_w;
    int32_t filter_channels; /* input channels of one group */
    int32_t output_h;
    int32_t output_w;
    int32_t output_channels;
    int32_t stride_h;
    int32_t stride_w;
    int32_t dilation_h;
    int32_t dilation_w;
    int32_t padding_h; /* rows of padding before the input */
    int32_t padding_w;
    int32_t storage; /* MQ_WEIGHTS_… */
    float activation_min;
    float activation_max;
} mq_conv_2d_f32_params_t;

/* The part of a window that lies inside the input. */
typedef struct {
    int32_t first_y; /* taps, from first to before end */
    int32_t end_y;
    int32_t first_x;
    int32_t end_x;
    int32_t position; /* of what tap (first_y, first_x) reads, in the group's first channel */
} mq_conv_2d_f32_window_t;

/* Add the window's products with the filters of `outputs` output channels; unit: the first of them. */
MQ_KERNEL void mq_conv_2d_f32_window(const mq_conv_2d_f32_params_t *params,
                                     const mq_conv_2d_f32_window_t *window,
                                     const float *input,
                                     const void *weights,
                                     int32_t unit,
                                     int32_t outputs,
                                     float *acc) {
    const int32_t depth = params->filter_channels;
    const int32_t filter_row = params->filter_w * depth;
    const int32_t filter = params->filter_h * filter_row;
    const int32_t taps = window->end_x - window->first_x;
    /* Taps side by side are one run in input and filter alike. */
    const int32_t is_run = params->dilation_w == 1 && depth == params->input_channels;
    const int32_t runs = is_run ? 1 : taps;
    const int32_t count = is_run ? taps * depth : depth;
    const int32_t row = params->dilation_h * params->input_w * params->input_channels;
    const int32_t step = params->dilation_w * params->input_channels;
    for (int32_t y = window->first_y; y < window->end_y; y++) {
        int32_t x_position = window->position + (y - window->first_y) * row;
        int32_t w_position = unit * filter + y * filter_row + window->first_x * depth;
        for (int32_t run = 0; run < runs; run++) {
            mq_dot_float(acc, outputs, input + x_position, weights, params->storage, w_position, filter,
                         count);
            x_position += step;
            w_position += depth;
        }
    }
}

/* input [input_h][input_w][input_channels],
 * weights [output_channels][filter_h][filter_w][filter_channels],
 * output [output_h][output_w][output_channels]; scale, bias [output_channels].
 */
MQ_KERNEL void mq_conv_2d_f32(const mq_conv_2d_f32_params_t *params,
                              const float *input,
                              const void *weights,
                              const float *scale,
                              const float *bias,
                              float *output) {
    const int32_t groups = params->input_channels / params->filter_channels;
    const int32_t group_outputs = params->output_channels / groups;
    for (int32_t pixel = 0; pixel < params->output_h * params->output_w; pixel++) {
        const int32_t y = pixel / params->output_w * params->stride_h - params->padding_h;
        const int32_t x = pixel % params->output_w * params->stride_w - params->padding_w;
        mq_conv_2d_f32_window_t window;
        window.first_y = mq_first_tap(y, params->dilation_h);
        window.end_y = mq_end_tap(y, params->dilation_h, params->filter_h, params->input_h);
        window.first_x = mq_first_tap(x, params->dilation_w);
        window.end_x = mq_end_tap(x, params->dilation_w, params->filter_w, params->input_w);
        const int32_t in_y = y + window.first_y * params->dilation_h;
        const int32_t in_x = x + window.first_x * params->dilation_w;
        window.position = (in_y * params->input_w + in_x) * params->input_channels;
        int32_t outputs;
        for (int32_t unit = 0; unit < params->output_channels; unit += outputs) {
            const int32_t group_rest = group_outputs - unit % group_outputs;
            float acc[MQ_DOT_OUTPUTS] = {0.0f, 0.0f, 0.0f, 0.0f};
            outputs = group_rest < MQ_DOT_OUTPUTS ? 1 : MQ_DOT_OUTPUTS;
            mq_conv_2d_f32_window(params, &window, input, weights, unit, outputs, acc);
            for (int32_t i = 0; i < outputs; i++) {
                *output++ = mq_linear_output_f32(acc[i], params->storage, scale + unit + i, bias + unit + i,
                                                 params->activation_min, params->activation_max);
            }
            if (outputs == group_rest) {
                window.position += params->filter_channels;
            }
        }
    }
}

#endif
