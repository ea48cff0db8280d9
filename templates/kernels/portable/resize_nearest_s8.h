/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: images of another size, of their nearest pixels, any CPU. Bytes, of whatever type.
 */
#ifndef MQ_RESIZE_NEAREST_S8_H
#define MQ_RESIZE_NEAREST_S8_H

#include "mq_common.h"

typedef struct {
    int32_t images;
    int32_t input_h;
    int32_t input_w;
    int32_t output_h;
    int32_t output_w;
    int32_t pixel_bytes; /* of all channels */
} mq_resize_nearest_s8_params_t;

/* input [images][input_h][input_w] and output [images][output_h][output_w] of pixels; rows [output_h] and
 * columns [output_w] of the input, ascending.
 */
MQ_KERNEL void mq_resize_nearest_s8(const mq_resize_nearest_s8_params_t *params,
                                    const void *input,
                                    const uint16_t *rows,
                                    const uint16_t *columns,
                                    void *output) {
    const uint8_t *image = (const uint8_t *)input;
    uint8_t *to = (uint8_t *)output;
    const size_t pixel = (size_t)params->pixel_bytes;
    const size_t input_row = (size_t)params->input_w * pixel;
    const size_t output_row = (size_t)params->output_w * pixel;
    for (int32_t i = 0; i < params->images; i++) {
        for (int32_t y = 0; y < params->output_h; y++) {
            if (y > 0 && rows[y] == rows[y - 1]) {
                memcpy(to, to - output_row, output_row);
                to += output_row;
                continue;
            }
            const uint8_t *from = image + rows[y] * input_row;
            for (int32_t x = 0; x < params->output_w; x++) {
                memcpy(to, from + columns[x] * pixel, pixel);
                to += pixel;
            }
        }
        image += (size_t)params->input_h * input_row;
    }
}

#endif
