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

void port_start(void) {
}

void port_print(const char *text) {
    (void)request(SYS_WRITE0, text);
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
