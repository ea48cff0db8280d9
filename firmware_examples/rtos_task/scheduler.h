/* SPDX-License-Identifier: 0BSD
 *
 * The least of a real-time operating system: tasks of fixed priority that preempt each other, and signals
 * that they wait for. In a product FreeRTOS or Zephyr takes this file's place; README.md says what
 * corresponds to what.
 *
 * For Armv7-M and Armv8-M Mainline, with and without FPU.
 */
#ifndef SCHEDULER_H
#define SCHEDULER_H

#include <stddef.h>
#include <stdint.h>

/* Counts what has happened and was not yet waited for. */
typedef struct {
    volatile uint32_t count;
} signal_t;

/* stack: aligned to 8 bytes; words: of 4 bytes, an even number. The function must not return. A task that is
 * made before another has the higher priority.
 */
void scheduler_create(void (*function)(void), uint32_t *stack, size_t words);

/* From here on tasks run. The caller goes on as the one of the lowest priority, which must never wait. */
void scheduler_start(void);

/* Of a task: go on when the signal was given, once for each time. */
void scheduler_wait(signal_t *signal);

/* Of a task or an interrupt handler. */
void scheduler_give(signal_t *signal);

#endif
