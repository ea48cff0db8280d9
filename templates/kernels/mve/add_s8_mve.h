/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: int8 sum of two tensors of one shape on Helium.
 */
#ifndef MQ_ADD_S8_MVE_H
#define MQ_ADD_S8_MVE_H

#include "mq_mve.h"

/* wide: the operand of the larger scale, whose multiplier is 2^30 and whose shift is 0. */
typedef struct {
    int32_t elements;
    int32_t wide_zero_point;
    int32_t other_zero_point;
    int32_t other_multiplier;
    int32_t other_shift;
    int32_t output_multiplier;
    int32_t output_shift;
    int32_t output_zero_point;
    int32_t activation_min;
    int32_t activation_max;
} mq_add_s8_mve_params_t;

typedef void mq_add_s8_mve_function_t(const int8_t *wide,
                                      const int8_t *other,
                                      int8_t *output,
                                      int32_t elements,
                                      const mq_add_s8_mve_params_t *params);

MQ_TWIN void mq_add_s8_mve_twin(const int8_t *wide,
                                const int8_t *other,
                                int8_t *output,
                                int32_t elements,
                                const mq_add_s8_mve_params_t *params) {
    const int32_t unit = (int32_t)1 << 20; /* operands have 20 fractional bits (ARITHMETIC section 6) */
    for (int32_t i = 0; i < elements; i++) {
        const int32_t x = (wide[i] - params->wide_zero_point) * (unit / 2);
        const int32_t y = mq_requantize((other[i] - params->other_zero_point) * unit,
                                        params->other_multiplier, params->other_shift);
        output[i] =
            mq_requantize_to_int8(x + y, params->output_multiplier, params->output_shift,
                                  params->output_zero_point, params->activation_min, params->activation_max);
    }
}

/* Both operands may lie where the output does. */
MQ_KERNEL void mq_add_s8_mve(const mq_add_s8_mve_params_t *params,
                             const int8_t *wide,
                             const int8_t *other,
                             mq_add_s8_mve_function_t *add,
                             int8_t *output) {
    add(wide, other, output, params->elements, params);
}

#endif
