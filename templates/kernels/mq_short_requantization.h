/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: requantization with multipliers of a few digits, proven by the generator for every
 * accumulator that a channel can have. Cores that multiply to 32 bits only have no other cheap way.
 */
#ifndef MQ_SHORT_REQUANTIZATION_H
#define MQ_SHORT_REQUANTIZATION_H

#include "mq_common.h"

typedef struct {
    int32_t digits;     /* 2 or 3 */
    int32_t digit_bits; /* of all digits but the highest */
    int32_t shift;
    int32_t is_signed; /* outputs may lie below the zero_point: constants have a step */
    int32_t origin;    /* the output that 0 stands for */
    int32_t output_zero_point;
    int32_t activation_min;
    int32_t activation_max;
} mq_short_requantization_t;

/* From a kernel's parameters, which end with the same fields. */
#define MQ_SHORT_FORM(params) \
    ((mq_short_requantization_t){(params)->digits, (params)->digit_bits, (params)->shift, \
                                 (params)->is_signed, (params)->origin, (params)->output_zero_point, \
                                 (params)->activation_min, (params)->activation_max})

/* Words of constants for each channel: digits, addend, and step if signed. */
static inline int32_t mq_short_constants(const mq_short_requantization_t *form) {
    return form->digits + 1 + form->is_signed;
}

/* The output of an accumulator that is the sum of x * w alone: constants hold bias and zero_points. */
static inline int8_t
mq_short_requantize(const mq_short_requantization_t *form, const int32_t *constants, int32_t acc) {
    uint32_t sum = (uint32_t)acc * (uint32_t)constants[0];
    for (int32_t i = 1; i < form->digits; i++) {
        sum = (uint32_t)((int32_t)sum >> form->digit_bits) + (uint32_t)acc * (uint32_t)constants[i];
    }
    int32_t u = (int32_t)(sum + (uint32_t)constants[form->digits]);
    if (form->is_signed && u >= 0) {
        u += constants[form->digits + 1];
    }
    return (int8_t)mq_clamp((u >> form->shift) + form->origin, form->activation_min, form->activation_max);
}

/* Channels that have no proof. For each: its index, what the true accumulator has more, multiplier, shift. */
#define MQ_EXACT_WORDS 4

static inline int8_t
mq_exact_requantize(const mq_short_requantization_t *form, const int32_t *exact, int32_t acc) {
    const int32_t sum = (int32_t)((uint32_t)acc + (uint32_t)exact[1]);
    return mq_requantize_to_int8(sum, exact[2], exact[3], form->output_zero_point, form->activation_min,
                                 form->activation_max);
}

#endif
