/* SPDX-License-Identifier: 0BSD
 *
 * The port over the board's UART (board.h says which). There are no files.
 */
#include "port.h"
#include "uart.h"

void port_start(void) {
    uart_start();
}

void port_print(const char *text) {
    for (; *text != '\0'; text++) {
        while (!uart_write((uint8_t)*text)) {
        }
    }
}

void port_exit(int status) {
    port_print(status == 0 ? "exit: success\n" : "exit: failure\n");
    for (;;) {
        __asm__ volatile("wfi");
    }
}

int32_t port_open(const char *path, port_mode_t mode) {
    (void)path;
    (void)mode;
    return -1;
}

size_t port_read(int32_t file, void *destination, size_t bytes) {
    (void)file;
    (void)destination;
    (void)bytes;
    return 0;
}

size_t port_write(int32_t file, const void *source, size_t bytes) {
    (void)file;
    (void)source;
    (void)bytes;
    return 0;
}
