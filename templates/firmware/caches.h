/* SPDX-License-Identifier: 0BSD
 *
 * Caches of a Cortex-M7: unknown after reset, so invalidated and then enabled (Armv7-M B2.2.7 and B3.2.3;
 * Cortex-M7 Technical Reference Manual r1p2, section 4.4).
 */
#ifndef CACHES_H
#define CACHES_H

#include "registers.h"

static inline void enable_caches(void) {
    const uint32_t ccr = 0xE000ED14u, ccsidr = 0xE000ED80u, csselr = 0xE000ED84u;
    const uint32_t iciallu = 0xE000EF50u, dcisw = 0xE000EF60u;
    __asm__ volatile("dsb\n\tisb" ::: "memory");
    REGISTER(iciallu) = 0u;
    REGISTER(csselr) = 0u; /* the data cache, level 1 */
    __asm__ volatile("dsb" ::: "memory");
    const uint32_t size = REGISTER(ccsidr), sets = (size >> 13) & 0x7FFFu, ways = (size >> 3) & 0x3FFu;
    for (uint32_t set = 0; set <= sets; set++) {
        for (uint32_t way = 0; way <= ways; way++) {
            REGISTER(dcisw) = way << 30 | set << 5; /* four ways, lines of 32 bytes */
        }
    }
    __asm__ volatile("dsb\n\tisb" ::: "memory");
    set_bits(ccr, 1u << 17 | 1u << 16);
    __asm__ volatile("dsb\n\tisb" ::: "memory");
}

#endif
