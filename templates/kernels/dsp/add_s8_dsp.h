/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: int8 sum or difference of two tensors of one shape, for CPUs with SSAT (Cortex-M4, M7, M33).
 */
#ifndef MQ_ADD_S8_DSP_H
#define MQ_ADD_S8_DSP_H

#include "mq_common.h"

typedef struct {
    int32_t size;         /* elements */
    int32_t first_factor; /* proved by the generator: (a * first + b * second + addend) >> shift */
    int32_t second_factor;
    int32_t addend;
    int32_t shift;
    int32_t activation_min;
    int32_t activation_max;
} mq_add_s8_dsp_params_t;

/* count elements, a multiple of 4 and not 0. */
typedef void mq_add_s8_dsp_function_t(const mq_add_s8_dsp_params_t *params,
                                      const int8_t *first,
                                      const int8_t *second,
                                      int8_t *output,
                                      int32_t count);

MQ_TWIN void mq_add_s8_dsp_twin(const mq_add_s8_dsp_params_t *params,
                                const int8_t *first,
                                const int8_t *second,
                                int8_t *output,
                                int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        const int32_t sum =
            mq_mac(mq_mac(params->addend, first[i], params->first_factor), second[i], params->second_factor);
        output[i] = (int8_t)mq_clamp(sum >> params->shift, params->activation_min, params->activation_max);
    }
}

/* The output may lie where an operand does. */
MQ_KERNEL void mq_add_s8_dsp(const mq_add_s8_dsp_params_t *params,
                             mq_add_s8_dsp_function_t *add,
                             const int8_t *first,
                             const int8_t *second,
                             int8_t *output) {
    const int32_t whole = params->size - params->size % 4;
    if (whole != 0) {
        add(params, first, second, output, whole);
    }
    mq_add_s8_dsp_twin(params, first + whole, second + whole, output + whole, params->size - whole);
}

#endif
