/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: instructions of the DSP extension (Cortex-M4, M7, M33), and the same in C elsewhere.
 * A "pair" is two int16 in a word, the first in the lower half.
 */
#ifndef MQ_DSP_H
#define MQ_DSP_H

#include "mq_common.h"

#if defined(__ARM_FEATURE_DSP) && defined(__GNUC__)
#define MQ_HAS_DSP 1
#else
#define MQ_HAS_DSP 0
#endif

/* A word at any address. */
static inline uint32_t mq_load_word(const void *address) {
    uint32_t word;
    memcpy(&word, address, sizeof word);
    return word;
}

static inline void mq_store_word(void *address, uint32_t word) {
    memcpy(address, &word, sizeof word);
}

/* The halves of a pair. */
static inline int32_t mq_bottom(uint32_t pair) {
    return (int16_t)(uint16_t)(pair & 0xFFFFu);
}

static inline int32_t mq_top(uint32_t pair) {
    return (int16_t)(uint16_t)(pair >> 16);
}

static inline uint32_t mq_pair(int32_t bottom, int32_t top) {
    return ((uint32_t)bottom & 0xFFFFu) | ((uint32_t)top << 16);
}

#if MQ_HAS_DSP
/* clang-format off */
#define MQ_DSP_3(name, instruction, ta, tb, tc)                                              \
    static inline int32_t name(ta a, tb b, tc acc) {                                         \
        int32_t result;                                                                      \
        __asm__(instruction " %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(acc));    \
        return result;                                                                       \
    }
/* clang-format on */
MQ_DSP_3(mq_smlad, "smlad", uint32_t, uint32_t, int32_t)
MQ_DSP_3(mq_smlabb, "smlabb", uint32_t, uint32_t, int32_t)
MQ_DSP_3(mq_smlabt, "smlabt", uint32_t, uint32_t, int32_t)
MQ_DSP_3(mq_smlatb, "smlatb", uint32_t, uint32_t, int32_t)
MQ_DSP_3(mq_smlatt, "smlatt", uint32_t, uint32_t, int32_t)
MQ_DSP_3(mq_smmla, "smmla", int32_t, int32_t, int32_t)
MQ_DSP_3(mq_smmlar, "smmlar", int32_t, int32_t, int32_t)
#undef MQ_DSP_3

static inline uint32_t mq_sxtb16(uint32_t bytes) {
    uint32_t pair;
    __asm__("sxtb16 %0, %1" : "=r"(pair) : "r"(bytes));
    return pair;
}

static inline uint32_t mq_sxtb16_ror8(uint32_t bytes) {
    uint32_t pair;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(pair) : "r"(bytes));
    return pair;
}

static inline uint32_t mq_sxtab16(uint32_t pair, uint32_t bytes) {
    uint32_t sum;
    __asm__("sxtab16 %0, %1, %2" : "=r"(sum) : "r"(pair), "r"(bytes));
    return sum;
}

static inline uint32_t mq_sxtab16_ror8(uint32_t pair, uint32_t bytes) {
    uint32_t sum;
    __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(sum) : "r"(pair), "r"(bytes));
    return sum;
}

static inline uint32_t mq_pkhbt(uint32_t bottoms, uint32_t tops) {
    uint32_t pair;
    __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(pair) : "r"(bottoms), "r"(tops));
    return pair;
}

static inline uint32_t mq_pkhtb(uint32_t tops, uint32_t bottoms) {
    uint32_t pair;
    __asm__("pkhtb %0, %1, %2, asr #16" : "=r"(pair) : "r"(tops), "r"(bottoms));
    return pair;
}

static inline int32_t mq_ssat8(int32_t x) {
    int32_t result;
    __asm__("ssat %0, #8, %1" : "=r"(result) : "r"(x));
    return result;
}

static inline int32_t mq_ssat16(int32_t x) {
    int32_t result;
    __asm__("ssat %0, #16, %1" : "=r"(result) : "r"(x));
    return result;
}

static inline uint32_t mq_sadd16(uint32_t a, uint32_t b) {
    uint32_t sum;
    __asm__("sadd16 %0, %1, %2" : "=r"(sum) : "r"(a), "r"(b));
    return sum;
}

static inline uint32_t mq_ssub16(uint32_t a, uint32_t b) {
    uint32_t difference;
    __asm__("ssub16 %0, %1, %2" : "=r"(difference) : "r"(a), "r"(b));
    return difference;
}

/* One statement each: the flags that SSUB8 sets and SEL reads are nothing that the compiler knows of. */
static inline uint32_t mq_largest_bytes(uint32_t a, uint32_t b) {
    uint32_t largest;
    __asm__("ssub8 %0, %1, %2\n\tsel %0, %1, %2" : "=&r"(largest) : "r"(a), "r"(b));
    return largest;
}

static inline uint32_t mq_smallest_bytes(uint32_t a, uint32_t b) {
    uint32_t smallest;
    __asm__("ssub8 %0, %1, %2\n\tsel %0, %2, %1" : "=&r"(smallest) : "r"(a), "r"(b));
    return smallest;
}

/* acc + bottom(a) * bottom(b) + top(a) * top(b), in 64 bits. */
static inline int64_t mq_smlald(uint32_t a, uint32_t b, int64_t acc) {
    __asm__("smlald %Q0, %R0, %1, %2" : "+r"(acc) : "r"(a), "r"(b));
    return acc;
}
#else
/* acc + bottom(a) * bottom(b), and so on; sums wrap. */
static inline int32_t mq_smlabb(uint32_t a, uint32_t b, int32_t acc) {
    return mq_mac(acc, mq_bottom(a), mq_bottom(b));
}

static inline int32_t mq_smlabt(uint32_t a, uint32_t b, int32_t acc) {
    return mq_mac(acc, mq_bottom(a), mq_top(b));
}

static inline int32_t mq_smlatb(uint32_t a, uint32_t b, int32_t acc) {
    return mq_mac(acc, mq_top(a), mq_bottom(b));
}

static inline int32_t mq_smlatt(uint32_t a, uint32_t b, int32_t acc) {
    return mq_mac(acc, mq_top(a), mq_top(b));
}

/* acc + bottom(a) * bottom(b) + top(a) * top(b). */
static inline int32_t mq_smlad(uint32_t a, uint32_t b, int32_t acc) {
    return mq_smlatt(a, b, mq_smlabb(a, b, acc));
}

static inline int64_t mq_smlald(uint32_t a, uint32_t b, int64_t acc) {
    return acc + (int64_t)mq_bottom(a) * mq_bottom(b) + (int64_t)mq_top(a) * mq_top(b);
}

/* acc + the upper word of a * b; smmlar rounds the whole sum to its upper word. */
static inline int32_t mq_smmla(int32_t a, int32_t b, int32_t acc) {
    return (int32_t)((uint32_t)acc + (uint32_t)(((int64_t)a * b) >> 32));
}

static inline int32_t mq_smmlar(int32_t a, int32_t b, int32_t acc) {
    return (int32_t)((uint32_t)acc + (uint32_t)(((int64_t)a * b + INT64_C(0x80000000)) >> 32));
}

/* Bytes 0 and 2 (1 and 3 with ror8) as a pair. */
static inline uint32_t mq_sxtb16(uint32_t bytes) {
    return mq_pair((int8_t)(uint8_t)(bytes & 0xFFu), (int8_t)(uint8_t)((bytes >> 16) & 0xFFu));
}

static inline uint32_t mq_sxtb16_ror8(uint32_t bytes) {
    return mq_sxtb16(bytes >> 8);
}

static inline uint32_t mq_sadd16(uint32_t a, uint32_t b) {
    return mq_pair(mq_bottom(a) + mq_bottom(b), mq_top(a) + mq_top(b));
}

static inline uint32_t mq_ssub16(uint32_t a, uint32_t b) {
    return mq_pair(mq_bottom(a) - mq_bottom(b), mq_top(a) - mq_top(b));
}

static inline uint32_t mq_sxtab16(uint32_t pair, uint32_t bytes) {
    return mq_sadd16(pair, mq_sxtb16(bytes));
}

static inline uint32_t mq_sxtab16_ror8(uint32_t pair, uint32_t bytes) {
    return mq_sadd16(pair, mq_sxtb16_ror8(bytes));
}

/* The bottoms of two pairs, the tops of two pairs; the result's top is named first in pkhtb. */
static inline uint32_t mq_pkhbt(uint32_t bottoms, uint32_t tops) {
    return (bottoms & 0xFFFFu) | (tops << 16);
}

static inline uint32_t mq_pkhtb(uint32_t tops, uint32_t bottoms) {
    return (tops & 0xFFFF0000u) | (bottoms >> 16);
}

static inline int32_t mq_ssat8(int32_t x) {
    return mq_clamp(x, -128, 127);
}

static inline int32_t mq_ssat16(int32_t x) {
    return mq_clamp(x, INT16_MIN, INT16_MAX);
}

/* The larger, or the smaller, of two int8, for each byte of a word. */
static inline uint32_t mq_largest_bytes(uint32_t a, uint32_t b) {
    uint32_t largest = 0;
    for (int32_t i = 0; i < 32; i += 8) {
        const int8_t x = (int8_t)(uint8_t)(a >> i);
        const int8_t y = (int8_t)(uint8_t)(b >> i);
        largest |= (uint32_t)(uint8_t)(x > y ? x : y) << i;
    }
    return largest;
}

static inline uint32_t mq_smallest_bytes(uint32_t a, uint32_t b) {
    return ~mq_largest_bytes(~a, ~b);
}
#endif

#endif
