/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: integers of any type, loaded and stored. Little-endian.
 */
#ifndef MQ_CAST_TYPES_H
#define MQ_CAST_TYPES_H

#include "mq_common.h"

/* The values of `from` and `to`. */
#define MQ_CAST_BOOL 0
#define MQ_CAST_INT8 1
#define MQ_CAST_INT16 2
#define MQ_CAST_INT32 3
#define MQ_CAST_INT64 4
#define MQ_CAST_FLOAT32 5

/* The size of an element of that type, in bytes. */
MQ_SPECIALISED int32_t mq_cast_bytes(int32_t type) {
    return type == MQ_CAST_INT64                              ? 8
           : type == MQ_CAST_INT32 || type == MQ_CAST_FLOAT32 ? 4
           : type == MQ_CAST_INT16                            ? 2
                                                              : 1;
}

/* An integer, whatever its type; of a condition 0 or 1. */
MQ_SPECIALISED int64_t mq_cast_load(const uint8_t *at, int32_t type) {
    int64_t wide;
    int32_t word;
    int16_t half;
    int8_t byte;
    switch (type) {
    case MQ_CAST_BOOL:
        return *at != 0u;
    case MQ_CAST_INT8:
        memcpy(&byte, at, sizeof byte);
        return byte;
    case MQ_CAST_INT16:
        memcpy(&half, at, sizeof half);
        return half;
    case MQ_CAST_INT32:
        memcpy(&word, at, sizeof word);
        return word;
    default:
        memcpy(&wide, at, sizeof wide);
        return wide;
    }
}

/* What the type does not hold wraps around; what is not 0 is true. */
MQ_SPECIALISED void mq_cast_store(uint8_t *at, int32_t type, int64_t value) {
    if (type == MQ_CAST_BOOL) {
        *at = (uint8_t)(value != 0);
    } else {
        memcpy(at, &value, (size_t)mq_cast_bytes(type));
    }
}

#endif
