/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: hybrid transposed convolution over height and width, any CPU: float32 in and out, int8 weights,
 * sums of integers.
 */
#ifndef MQ_TRANSPOSE_CONV_HYBRID_H
#define MQ_TRANSPOSE_CONV_HYBRID_H

#include "mq_hybrid.h"
#include "mq_transpose_conv_s8.h"

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
    int32_t padding_h; /* rows of the spread input that are cut off before the output */
    int32_t padding_w;
    float activation_min;
    float activation_max;
} mq_transpose_conv_hybrid_params_t;

/* input [input_h][input_w][input_channels],
 * weights [output_channels][filter_h][filter_w][input_channels],
 * output [output_h][output_w][output_channels]; scale, bias [output_channels].
 * scratch [input_h][input_w][input_channels] may begin where input does.
 */
MQ_KERNEL void mq_transpose_conv_hybrid(const mq_transpose_conv_hybrid_params_t *params,
                                        const float *input,
                                        const int8_t *weights,
                                        const float *scale,
                                        const float *bias,
                                        int8_t *scratch,
                                        float *output) {
    const mq_hybrid_quant_t quant =
        mq_hybrid_quantize(input, params->input_h * params->input_w * params->input_channels, 1, scratch);
    /* What the sums of the int8 kernel look at. */
    const mq_transpose_conv_s8_params_t sizes = {
        .input_h = params->input_h,
        .input_w = params->input_w,
        .input_channels = params->input_channels,
        .filter_h = params->filter_h,
        .filter_w = params->filter_w,
        .output_h = params->output_h,
        .output_w = params->output_w,
        .output_channels = params->output_channels,
        .stride_h = params->stride_h,
        .stride_w = params->stride_w,
        .padding_h = params->padding_h,
        .padding_w = params->padding_w,
        .input_zero_point = quant.zero_point,
    };
    const int32_t filter = params->filter_h * params->filter_w * params->input_channels;
    for (int32_t pixel = 0; pixel < params->output_h * params->output_w; pixel++) {
        const mq_transposed_taps_t y =
            mq_transposed_taps(pixel / params->output_w + params->padding_h, params->stride_h,
                               params->filter_h, params->input_h);
        const mq_transposed_taps_t x =
            mq_transposed_taps(pixel % params->output_w + params->padding_w, params->stride_w,
                               params->filter_w, params->input_w);
        int32_t outputs;
        for (int32_t unit = 0; unit < params->output_channels; unit += outputs) {
            int32_t acc[MQ_DOT_OUTPUTS] = {0, 0, 0, 0};
            outputs = params->output_channels - unit < MQ_DOT_OUTPUTS ? 1 : MQ_DOT_OUTPUTS;
            mq_transpose_conv_s8_sums(&sizes, &y, &x, scratch, weights + unit * filter, outputs, acc);
            for (int32_t i = 0; i < outputs; i++) {
                *output++ = mq_hybrid_output(acc[i], quant, scale[unit + i], bias[unit + i],
                                             params->activation_min, params->activation_max);
            }
        }
    }
}

#endif
