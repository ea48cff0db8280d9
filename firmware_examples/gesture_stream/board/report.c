/* SPDX-License-Identifier: 0BSD
 *
 * Numbers and faults as text, for any port_print().
 */
#include "port.h"

void port_print_int(int32_t value) {
    char text[12];
    char *digit = text + sizeof text - 1;
    uint32_t rest = value < 0 ? 0u - (uint32_t)value : (uint32_t)value;
    *digit = '\0';
    do {
        *--digit = (char)('0' + rest % 10u);
        rest /= 10u;
    } while (rest != 0u);
    if (value < 0) {
        *--digit = '-';
    }
    port_print(digit);
}

void port_print_hex(uint32_t value) {
    char text[9];
    for (int i = 0; i < 8; i++) {
        text[i] = "0123456789abcdef"[(value >> (28 - 4 * i)) & 15u];
    }
    text[8] = '\0';
    port_print(text);
}

static void print_register(const char *name, uint32_t value) {
    port_print(name);
    port_print_hex(value);
}

void port_fault(const uint32_t *frame, uint32_t exception_return) {
    static const char *const names[8] = {" r0=", " r1=", " r2=", " r3=", " r12=", " lr=", " pc=", " xpsr="};
    port_print(frame == NULL ? "fault: the stack overflowed:" : "fault:");
    for (int i = 0; frame != NULL && i < 8; i++) {
        print_register(names[i], frame[i]);
    }
    print_register(" frame=", (uint32_t)(uintptr_t)frame);
    print_register(" exc_return=", exception_return);
#if __ARM_ARCH_ISA_THUMB >= 2
    /* Configurable and HardFault status, and the address that was refused. Armv7-M B3.2.2. */
    print_register(" cfsr=", *(volatile uint32_t *)0xE000ED28u);
    print_register(" hfsr=", *(volatile uint32_t *)0xE000ED2Cu);
    print_register(" bfar=", *(volatile uint32_t *)0xE000ED38u);
#endif
    port_print("\n");
    port_exit(1);
}
