/* SPDX-License-Identifier: 0BSD
 *
 * What the programs of this project need from the board. port_semihosting.c gives it through a debugger or
 * QEMU, port_uart.c over the UART, without files; for a product, write your own and drop the rest.
 */
#ifndef PORT_H
#define PORT_H

#include <stddef.h>
#include <stdint.h>

/* Clock, caches, pins of the UART; after a boot loader, its interrupts off. Called before .data and .bss are
 * there: uses neither.
 */
void board_start(void);

/* Called before main(). */
void port_start(void);

void port_print(const char *text);
void port_print_int(int32_t value);
void port_print_hex(uint32_t value);

/* End the program. status: 0 for success, anything else for failure. Does not return. */
__attribute__((noreturn)) void port_exit(int status);

/* Files of the host, in the debugger's or QEMU's working directory. */
typedef enum { PORT_READ = 1, PORT_WRITE = 5 } port_mode_t;

/* A handle, or -1. An existing file is overwritten by PORT_WRITE. */
int32_t port_open(const char *path, port_mode_t mode);
/* The number of bytes read or written; less than asked for at the end of a file or on failure. */
size_t port_read(int32_t file, void *destination, size_t bytes);
size_t port_write(int32_t file, const void *source, size_t bytes);

/* A counter that goes up with time, BOARD_TIMER_BITS wide, at BOARD_TIMER_HZ (board.h). */
void port_counter_start(void);
uint32_t port_counter(void);

/* Called by the fault handler of startup.c. frame: r0-r3, r12, lr, pc, xpsr as the CPU stacked them, or
 * NULL if the stack overflowed.
 */
__attribute__((noreturn)) void port_fault(const uint32_t *frame, uint32_t exception_return);

#endif
