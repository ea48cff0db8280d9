/* SPDX-License-Identifier: 0BSD
 *
 * Tasks run in thread mode on stacks of their own (PSP), handlers on theirs (MSP). PendSV, the handler of the
 * lowest priority, changes from one task to the next; whoever makes a task ready pends it. Sections: Armv7-M
 * Architecture Reference Manual.
 */
#include "scheduler.h"

#define MAX_TASKS 4
#define HANDLER_WORDS 256

#define ICSR (*(volatile uint32_t *)0xE000ED04u)  /* B3.2.4 */
#define SHPR3 (*(volatile uint32_t *)0xE000ED20u) /* B3.2.12 */
#define PENDSVSET (1u << 28)
#define PENDSV_LOWEST (0xFFu << 16)

#define XPSR_THUMB 0x01000000u
/* Return to thread mode, PSP, a frame without floating-point registers (B1.5.8). 0xFFFFFFBC for the
 * non-secure state of Armv8-M.
 */
#define EXC_RETURN_TASK 0xFFFFFFFDu

typedef struct {
    uint32_t
        *stack_pointer;  /* below it: r4-r11 and EXC_RETURN, s16-s31 if used, the frame of the exception */
    signal_t *waits_for; /* NULL if it can run */
} task_t;

/* By priority. The last is the caller of scheduler_start. */
static task_t tasks[MAX_TASKS + 1];
static size_t task_count, current;
static uint32_t handler_stack[HANDLER_WORDS] __attribute__((aligned(8)));

void PendSV_Handler(void);
uint32_t *scheduler_next(uint32_t *stack_pointer);

static void disable_interrupts(void) {
    __asm__ volatile("cpsid i" ::: "memory");
}

static void enable_interrupts(void) {
    __asm__ volatile("cpsie i\n\tisb" ::: "memory");
}

void scheduler_create(void (*function)(void), uint32_t *stack, size_t words) {
    uint32_t *top = stack + words;
    *--top = XPSR_THUMB;
    *--top = (uint32_t)(uintptr_t)function & ~1u; /* pc */
    for (int i = 0; i < 6; i++) {
        *--top = 0u; /* lr, r12, r3-r0 */
    }
    *--top = EXC_RETURN_TASK;
    for (int i = 0; i < 8; i++) {
        *--top = 0u; /* r11-r4 */
    }
    tasks[task_count].stack_pointer = top;
    tasks[task_count++].waits_for = NULL;
}

/* Called by PendSV_Handler: keep the stack pointer of the task that ran, return that of the next. */
__attribute__((used)) uint32_t *scheduler_next(uint32_t *stack_pointer) {
    disable_interrupts();
    tasks[current].stack_pointer = stack_pointer;
    current = 0;
    while (tasks[current].waits_for != NULL && tasks[current].waits_for->count == 0u) {
        current++;
    }
    enable_interrupts();
    return tasks[current].stack_pointer;
}

/* Bit 4 of EXC_RETURN is clear if the frame has floating-point registers: then s16-s31 are the task's, too
 * (B1.5.7). */
__attribute__((naked)) void PendSV_Handler(void) {
    __asm__ volatile("mrs r0, psp\n\t"
#ifdef __ARM_FP
                     "tst lr, #16\n\t"
                     "it eq\n\t"
                     "vstmdbeq r0!, {s16-s31}\n\t"
#endif
                     "stmdb r0!, {r4-r11, lr}\n\t"
                     "bl scheduler_next\n\t"
                     "ldmia r0!, {r4-r11, lr}\n\t"
#ifdef __ARM_FP
                     "tst lr, #16\n\t"
                     "it eq\n\t"
                     "vldmiaeq r0!, {s16-s31}\n\t"
#endif
                     "msr psp, r0\n\t"
                     "bx lr");
}

/* The caller keeps its stack as PSP; handlers get another one. */
__attribute__((naked, noinline)) static void become_task(uint32_t *handler_stack_top) {
    (void)handler_stack_top;
    __asm__ volatile("mrs r1, msp\n\t"
                     "msr psp, r1\n\t"
                     "movs r1, #2\n\t"
                     "mrs r2, control\n\t"
                     "orrs r1, r2\n\t"
                     "msr control, r1\n\t"
                     "isb\n\t"
                     "msr msp, r0\n\t"
                     "bx lr");
}

void scheduler_start(void) {
    current = task_count;
    tasks[current].waits_for = NULL;
    SHPR3 |= PENDSV_LOWEST;
    become_task(handler_stack + HANDLER_WORDS);
    ICSR = PENDSVSET;
    __asm__ volatile("dsb\n\tisb" ::: "memory");
}

void scheduler_wait(signal_t *signal) {
    disable_interrupts();
    tasks[current].waits_for = signal;
    if (signal->count == 0u) {
        ICSR = PENDSVSET;
    }
    enable_interrupts(); /* PendSV comes here, and returns when the signal was given */
    disable_interrupts();
    signal->count--;
    tasks[current].waits_for = NULL;
    enable_interrupts();
}

void scheduler_give(signal_t *signal) {
    disable_interrupts();
    signal->count++;
    ICSR = PENDSVSET;
    enable_interrupts();
}
