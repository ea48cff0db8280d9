/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: hybrid convolution over height and width, any CPU: float32 in and out, int8 weights, sums of
 * integers.
 */
#ifndef MQ_CONV_2D_HYBRID_H
#define MQ_CONV_2D_HYBRID_H

#include "mq_conv_2d_s8.h"
#include "mq_hybrid.h"

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
    float activation_min;
    float activation_max;
} mq_conv_2d_hybrid_params_t;

/* input [input_h][input_w][input_channels],
 * weights [output_channels][filter_h][filter_w][filter_channels],
 * output [output_h][output_w][output_channels]; scale, bias [output_channels].
 * scratch [input_h][input_w][input_channels] may begin where input does.
 */
MQ_KERNEL void mq_conv_2d_hybrid(const mq_conv_2d_hybrid_params_t *params,
                                 const float *input,
                                 const int8_t *weights,
                                 const float *scale,
                                 const float *bias,
                                 int8_t *scratch,
                                 float *output) {
    const mq_hybrid_quant_t quant =
        mq_hybrid_quantize(input, params->input_h * params->input_w * params->input_channels, 1, scratch);
    /* What the sums of the int8 kernel look at. */
    const mq_conv_2d_s8_params_t sizes = {
        .input_h = params->input_h,
        .input_w = params->input_w,
        .input_channels = params->input_channels,
        .filter_h = params->filter_h,
        .filter_w = params->filter_w,
        .filter_channels = params->filter_channels,
        .output_h = params->output_h,
        .output_w = params->output_w,
        .output_channels = params->output_channels,
        .stride_h = params->stride_h,
        .stride_w = params->stride_w,
        .dilation_h = params->dilation_h,
        .dilation_w = params->dilation_w,
        .padding_h = params->padding_h,
        .padding_w = params->padding_w,
        .input_zero_point = quant.zero_point,
    };
    const int32_t filter = params->filter_h * params->filter_w * params->filter_channels;
    const int32_t groups = params->input_channels / params->filter_channels;
    const int32_t group_outputs = params->output_channels / groups;
    for (int32_t pixel = 0; pixel < params->output_h * params->output_w; pixel++) {
        const int32_t y = pixel / params->output_w * params->stride_h - params->padding_h;
        const int32_t x = pixel % params->output_w * params->stride_w - params->padding_w;
        mq_conv_2d_s8_window_t window;
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
            int32_t acc[MQ_DOT_OUTPUTS];
            outputs = group_rest < MQ_DOT_OUTPUTS ? 1 : MQ_DOT_OUTPUTS;
            for (int32_t i = 0; i < outputs; i++) {
                acc[i] = 0;
            }
            mq_conv_2d_s8_window(&sizes, &window, scratch, weights + unit * filter, outputs, acc);
            for (int32_t i = 0; i < outputs; i++) {
                *output++ = mq_hybrid_output(acc[i], quant, scale[unit + i], bias[unit + i],
                                             params->activation_min, params->activation_max);
            }
            if (outputs == group_rest) {
                window.position += params->filter_channels;
            }
        }
    }
}

#endif
