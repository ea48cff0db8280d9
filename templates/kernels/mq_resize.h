/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: between which pixels of an image the ones of a resized image lie.
 */
#ifndef MQ_RESIZE_H
#define MQ_RESIZE_H

#include "mq_common.h"

/* Along one axis: the pixels before and behind a place, and its distance from the one before. */
typedef struct {
    int32_t low;
    int32_t high;
    int32_t fraction; /* in 1/1024; negative before the first pixel */
} mq_resize_place_t;

/* at: -512 and more, in 1/1024 pixels, and inside an image of `size` pixels. */
static inline mq_resize_place_t mq_resize_place(int32_t at, int32_t size) {
    mq_resize_place_t place;
    place.low = at < 0 ? 0 : at / 1024;
    place.high = (at + 1023) / 1024;
    place.high = place.high < size ? place.high : size - 1;
    place.fraction = at - 1024 * place.low;
    return place;
}

#endif
