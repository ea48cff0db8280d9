/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: float32 depthwise convolution, any CPU; weights float32, half or int8. No scratch.
 */
#ifndef MQ_DEPTHWISE_CONV_2D_F32_H
#define MQ_DEPTHWISE_CONV_2D_F32_H

#include "mq_float_weights.h"

typedef struct {
    int32_t input_h;
    int32_t input_w;
    int32_t input_channels;
    int32_t filter_h;
    int32_t filter_w;
    int32_t output_h;
    int32_t output_w;
    int32_t output_channels;
    int32_t depth_multiplier;
    int32_t stride_h;
    int32_t stride_w;
    int32_t dilation_h;
    int32_t dilation_w;
    int32_t padding_h; /* rows of padding before the input */
    int32_t padding_w;
    int32_t storage; /* MQ_WEIGHTS_… */
    float activation_min;
    float activation_max;
} mq_depthwise_conv_2d_f32_params_t;

/* The part of a window that lies inside the input. */
typedef struct {
    int32_t rows;
    int32_t columns;
    int32_t first_tap;   /* of the filter, as row * filter_w + column */
    int32_t first_input; /* the pixel that it reads, as row * input_w + column */
} mq_depthwise_conv_2d_f32_window_t;

/* The sums of a window's products, for `outputs` (4 or 1) channels from `channel` on; storage is a literal.
 */
MQ_SPECIALISED void mq_depthwise_conv_2d_f32_sums(const mq_depthwise_conv_2d_f32_params_t *params,
                                                  const mq_depthwise_conv_2d_f32_window_t *window,
                                                  const float *input,
                                                  const void *weights,
                                                  int32_t storage,
                                                  int32_t channel,
                                                  int32_t outputs,
                                                  float *acc) {
    const int32_t step = params->dilation_w * params->input_channels;
    const int32_t row_step = params->dilation_h * params->input_w * params->input_channels;
    const float *in_row =
        input + window->first_input * params->input_channels + channel / params->depth_multiplier;
    int32_t w_row = window->first_tap * params->output_channels + channel;
    float acc0 = 0.0f;
    float acc1 = 0.0f;
    float acc2 = 0.0f;
    float acc3 = 0.0f;
    for (int32_t row = 0; row < window->rows; row++) {
        const float *in = in_row;
        int32_t w = w_row;
        for (int32_t column = 0; column < window->columns; column++) {
            acc0 += in[0] * mq_weight(weights, storage, w);
            if (outputs == 4) {
                acc1 += in[1] * mq_weight(weights, storage, w + 1);
                acc2 += in[2] * mq_weight(weights, storage, w + 2);
                acc3 += in[3] * mq_weight(weights, storage, w + 3);
            }
            in += step;
            w += params->output_channels;
        }
        in_row += row_step;
        w_row += params->filter_w * params->output_channels;
    }
    acc[0] = acc0;
    acc[1] = acc1;
    acc[2] = acc2;
    acc[3] = acc3;
}

/* Either of the two, in registers. */
MQ_SPECIALISED void mq_depthwise_conv_2d_f32_stored(const mq_depthwise_conv_2d_f32_params_t *params,
                                                    const mq_depthwise_conv_2d_f32_window_t *window,
                                                    const float *input,
                                                    const void *weights,
                                                    int32_t storage,
                                                    int32_t channel,
                                                    int32_t outputs,
                                                    float *acc) {
    if (outputs == 4) {
        mq_depthwise_conv_2d_f32_sums(params, window, input, weights, storage, channel, 4, acc);
    } else {
        mq_depthwise_conv_2d_f32_sums(params, window, input, weights, storage, channel, 1, acc);
    }
}

/* input [input_h][input_w][input_channels], weights [filter_h][filter_w][output_channels],
 * output [output_h][output_w][output_channels]; scale, bias [output_channels].
 */
MQ_KERNEL void mq_depthwise_conv_2d_f32(const mq_depthwise_conv_2d_f32_params_t *params,
                                        const float *input,
                                        const void *weights,
                                        const float *scale,
                                        const float *bias,
                                        float *output) {
    for (int32_t pixel = 0; pixel < params->output_h * params->output_w; pixel++) {
        const int32_t y = pixel / params->output_w * params->stride_h - params->padding_h;
        const int32_t x = pixel % params->output_w * params->stride_w - params->padding_w;
        const int32_t first_y = mq_first_tap(y, params->dilation_h);
        const int32_t first_x = mq_first_tap(x, params->dilation_w);
        const int32_t in_y = y + first_y * params->dilation_h;
        const int32_t in_x = x + first_x * params->dilation_w;
        mq_depthwise_conv_2d_f32_window_t window;
        window.rows = mq_end_tap(y, params->dilation_h, params->filter_h, params->input_h) - first_y;
        window.columns = mq_end_tap(x, params->dilation_w, params->filter_w, params->input_w) - first_x;
        window.first_tap = first_y * params->filter_w + first_x;
        window.first_input = in_y * params->input_w + in_x;
        int32_t outputs;
        for (int32_t channel = 0; channel < params->output_channels; channel += outputs) {
            float acc[4];
            outputs = params->depth_multiplier == 1 && params->output_channels - channel >= 4 ? 4 : 1;
            if (params->storage == MQ_WEIGHTS_F32) {
                mq_depthwise_conv_2d_f32_stored(params, &window, input, weights, MQ_WEIGHTS_F32, channel,
                                                outputs, acc);
            } else if (params->storage == MQ_WEIGHTS_F16) {
                mq_depthwise_conv_2d_f32_stored(params, &window, input, weights, MQ_WEIGHTS_F16, channel,
                                                outputs, acc);
            } else {
                mq_depthwise_conv_2d_f32_stored(params, &window, input, weights, MQ_WEIGHTS_S8, channel,
                                                outputs, acc);
            }
            for (int32_t i = 0; i < outputs; i++) {
                *output++ =
                    mq_linear_output_f32(acc[i], params->storage, scale + channel + i, bias + channel + i,
                                         params->activation_min, params->activation_max);
            }
        }
    }
}

#endif
