/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: requantization by one 64-bit multiply-add, as kernels for Cortex-M3 do it. Exact;
 * mcu_quant/kernels/armv7m/requantization.py says why.
 */
#ifndef MQ_ARMV7M_REQUANTIZE_H
#define MQ_ARMV7M_REQUANTIZE_H

#include "mq_common.h"

/* What is the same for all channels. */
typedef struct {
    int32_t rounds_away; /* halves away from zero; 0: negative results are clamped away */
    int32_t shift;       /* of the high word, if not rounds_away */
    int32_t output_zero_point;
    int32_t activation_min;
    int32_t activation_max;
} mq_armv7m_rounding_t;

#define MQ_ARMV7M_REQUANTIZE_WORDS 4

/* words: multiplier, low and high word of what is added to the product, shift of this channel. */
static inline int8_t
mq_armv7m_requantize(const mq_armv7m_rounding_t *rounding, int32_t sum, const int32_t *words) {
    const int32_t left = rounding->rounds_away ? 1 : words[3];
    const int32_t shifted = (int32_t)((uint32_t)sum << left);
    const uint64_t start = ((uint64_t)(uint32_t)words[2] << 32) | (uint32_t)words[1];
    const uint64_t total = (uint64_t)((int64_t)shifted * words[0]) + start;
    int32_t high = (int32_t)(uint32_t)(total >> 32);
    if (rounding->rounds_away) {
        high = ((high + (high >> 31)) >> words[3]) + 2 * rounding->output_zero_point + 1;
        high >>= 1;
    } else {
        high >>= rounding->shift;
    }
    return (int8_t)mq_clamp(high, rounding->activation_min, rounding->activation_max);
}

#endif
