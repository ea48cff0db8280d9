/* SPDX-License-Identifier: 0BSD
 *
 * Device registers by address. board_start() uses these before .data and .bss are there.
 */
#ifndef REGISTERS_H
#define REGISTERS_H

#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))

static inline void set_bits(uint32_t address, uint32_t bits) {
    REGISTER(address) |= bits;
}

/* Write value to the bits of mask, and leave the others. */
static inline void set_field(uint32_t address, uint32_t mask, uint32_t value) {
    REGISTER(address) = (REGISTER(address) & ~mask) | value;
}

/* Wait until the bits of mask are value. */
static inline void wait_for(uint32_t address, uint32_t mask, uint32_t value) {
    while ((REGISTER(address) & mask) != value) {
    }
}

#endif
