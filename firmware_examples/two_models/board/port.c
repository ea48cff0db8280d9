/* SPDX-License-Identifier: 0BSD
 *
 * The port by Arm semihosting: requests to QEMU or to a debug probe by `bkpt 0xab`.
 * Without a debugger attached that instruction is a fault, so this is not for products.
 * Operation numbers and parameter blocks: "Semihosting for AArch32 and AArch64", Arm, 2024Q3.
 */
#include "port.h"

#include <string.h>

enum { SYS_OPEN = 0x01, SYS_WRITE0 = 0x04, SYS_WRITE = 0x05, SYS_READ = 0x06, SYS_EXIT = 0x18 };

#define APPLICATION_EXIT 0x20026u
#define RUN_TIME_ERROR 0x20023u

static int32_t request(uint32_t operation, const void *parameter) {
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = parameter;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return (int32_t)r0;
}

void port_print(const char *text) {
    (void)request(SYS_WRITE0, text);
}

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

void port_exit(int status) {
    (void)request(SYS_EXIT, (const void *)(uintptr_t)(status == 0 ? APPLICATION_EXIT : RUN_TIME_ERROR));
    for (;;) {
    }
}

int32_t port_open(const char *path, port_mode_t mode) {
    const uintptr_t block[3] = {(uintptr_t)path, (uintptr_t)mode, strlen(path)};
    return request(SYS_OPEN, block);
}

/* SYS_READ and SYS_WRITE return the number of bytes *not* transferred, or -1. */
static size_t transfer(uint32_t operation, int32_t file, uintptr_t address, size_t bytes) {
    const uintptr_t block[3] = {(uintptr_t)file, address, bytes};
    const int32_t left = request(operation, block);
    return left < 0 || (size_t)left > bytes ? 0u : bytes - (size_t)left;
}

size_t port_read(int32_t file, void *destination, size_t bytes) {
    return transfer(SYS_READ, file, (uintptr_t)destination, bytes);
}

size_t port_write(int32_t file, const void *source, size_t bytes) {
    return transfer(SYS_WRITE, file, (uintptr_t)source, bytes);
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
