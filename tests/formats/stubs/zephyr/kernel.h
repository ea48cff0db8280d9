/* What a sample of ours uses of Zephyr: printk, checked by the compiler as printf is. */
#ifndef ZEPHYR_KERNEL_H
#define ZEPHYR_KERNEL_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

__attribute__((format(printf, 1, 2))) int printk(const char *format, ...);
#define printk(...) printf(__VA_ARGS__)

#endif
