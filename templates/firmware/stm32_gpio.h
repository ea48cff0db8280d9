/* SPDX-License-Identifier: 0BSD
 *
 * Pins of STM32 chips but the F1: MODER at 0x00, AFRL and AFRH at 0x20 and 0x24 of the port (RM0090,
 * chapter GPIO; the same in all later families).
 */
#ifndef STM32_GPIO_H
#define STM32_GPIO_H

#include "registers.h"

/* port: its address. pin: 0 to 15. function: AF0 to AF15. The port's clock must be on. */
static inline void pin_alternate(uint32_t port, uint32_t pin, uint32_t function) {
    const uint32_t high = pin / 8u, place = 4u * (pin % 8u);
    set_field(port + 0x20u + 4u * high, 0xFu << place, function << place);
    set_field(port, 3u << (2u * pin), 2u << (2u * pin));
}

#endif
