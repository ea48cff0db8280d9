/* Calls kernels, each with an arena that comes from inputs.bin and goes, whole, to outputs.bin.
 * The cases are in an assembly file that tests/kernels/machine.py writes.
 */
#include "port.h"

/* Pointers, as words: the caller passes more arguments than the kernel takes (AAPCS32: it does no harm). */
typedef void (*kernel_t)(uint32_t,
                         uint32_t,
                         uint32_t,
                         uint32_t,
                         uint32_t,
                         uint32_t,
                         uint32_t,
                         uint32_t,
                         uint32_t,
                         uint32_t,
                         uint32_t,
                         uint32_t,
                         uint32_t,
                         uint32_t,
                         uint32_t,
                         uint32_t);

typedef struct {
    kernel_t kernel;
    uint32_t arguments[16];
    uint32_t arena_bytes;
    uint32_t samples;
} case_t;

extern const case_t cases[];
extern const uint32_t case_count;
extern uint8_t arena[];
/* Ticks that a call may take before the program ends with a failure; 0 for any. */
extern const uint32_t watchdog_ticks;

/* In place of the fault handler (linker.ld). */
void SysTick_Handler(void);
void SysTick_Handler(void) {
    port_exit(1);
}

/* SysTick (Armv6-M B3.3, Armv7-M B3.3): control, reload and current value. */
static void start_watchdog(void) {
    volatile uint32_t *const systick = (volatile uint32_t *)0xE000E010u;
    if (watchdog_ticks != 0u) {
        systick[1] = watchdog_ticks;
        systick[2] = 0u;
        systick[0] = 7u;
    }
}

/* What a function left on the stack, or the start-up code did, is no help to the next one. */
static void __attribute__((noinline)) spoil_stack(void) {
    volatile uint8_t spoilt[1024];
    for (uint32_t i = 0; i < sizeof spoilt; i++) {
        spoilt[i] = 0xA5u;
    }
}

int main(void) {
    const int32_t inputs = port_open("inputs.bin", PORT_READ);
    const int32_t outputs = port_open("outputs.bin", PORT_WRITE);
    for (const case_t *c = cases; c < cases + case_count; c++) {
        const uint32_t *const a = c->arguments;
        for (uint32_t sample = 0; sample < c->samples; sample++) {
            if (port_read(inputs, arena, c->arena_bytes) != c->arena_bytes) {
                return 1;
            }
            spoil_stack();
            start_watchdog();
            c->kernel(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11], a[12], a[13],
                      a[14], a[15]);
            if (port_write(outputs, arena, c->arena_bytes) != c->arena_bytes) {
                return 1;
            }
        }
    }
    return 0;
}
