/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: hybrid convolution, four channels of two pixels at once, for the DSP extension.
 */
#ifndef MQ_CONV_2D_DSP_HYBRID_H
#define MQ_CONV_2D_DSP_HYBRID_H

#include "mq_conv_2d_dsp_s16.h"
#include "mq_hybrid.h"

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
    int32_t dilation_h;
    int32_t dilation_w;
    int32_t padding_h;
    int32_t padding_w;
    int32_t turns; /* of the inner loop: a window's elements / 4, rounded up */
    float activation_min;
    float activation_max;
} mq_conv_2d_dsp_hybrid_params_t;

/* input [input_h][input_w][input_channels], output [output_h][output_w][output_channels].
 * blocks: kernels/dsp/packed_s16.py; scale, bias [output_channels]. scratch: the input in steps, int16, up to
 * a word, and the windows of two pixels, [turns * 2 pairs][2 pixels]; it may begin where input does.
 */
MQ_KERNEL void mq_conv_2d_dsp_hybrid(const mq_conv_2d_dsp_hybrid_params_t *params,
                                     const float *input,
                                     const int32_t *blocks,
                                     const float *scale,
                                     const float *bias,
                                     int8_t *scratch,
                                     mq_s16_sums_function_t *add_products,
                                     float *output) {
    /* What the int16 kernel's windows look at. */
    const mq_conv_2d_dsp_s16_params_t sizes = {
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
        .dilation_h = params->dilation_h,
        .dilation_w = params->dilation_w,
        .padding_h = params->padding_h,
        .padding_w = params->padding_w,
    };
    const int32_t elements = params->input_h * params->input_w * params->input_channels;
    int16_t *steps = (int16_t *)(void *)scratch;
    int16_t *patch = steps + (elements + 1) / 2 * 2;
    const mq_hybrid_quant_t quant = mq_hybrid_steps(input, elements, 1, steps);
    const int32_t pixels = params->output_h * params->output_w;
    const int32_t channels = params->output_channels;
    memset(patch, 0, (size_t)params->turns * 16u); /* what lies behind a window's end stays 0 */
    for (int32_t pixel = 0; pixel < pixels; pixel += 2) {
        const int32_t count = mq_min(pixels - pixel, 2);
        for (int32_t i = 0; i < count; i++) {
            const int32_t y = (pixel + i) / params->output_w;
            const int32_t x = (pixel + i) % params->output_w;
            mq_conv_2d_dsp_s16_window(&sizes, steps, y * params->stride_h - params->padding_h,
                                      x * params->stride_w - params->padding_w, patch + 2 * i);
        }
        const int32_t *block = blocks;
        for (int32_t channel = 0; channel < channels; channel += 4) {
            const int32_t some = mq_min(channels - channel, 4);
            int32_t sums[8] = {0};
            add_products(patch, block, params->turns, sums);
            block += 4 * params->turns;
            for (int32_t i = 0; i < some; i++) {
                for (int32_t k = 0; k < count; k++) {
                    output[k * channels + channel + i] =
                        mq_hybrid_output(sums[2 * i + k], quant, scale[channel + i], bias[channel + i],
                                         params->activation_min, params->activation_max);
                }
            }
        }
        output += count * channels;
    }
}

#endif
