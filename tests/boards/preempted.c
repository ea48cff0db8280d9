/* Two models at once: `second` runs in the SysTick interrupt, which comes again and again while `first`
 * runs in main. Each has its own arena. Every output of both must be what it is without interrupts.
 */
#include "port.h"

#include <string.h>

#include "first.h"
#include "second.h"

#define SYST_CSR (*(volatile uint32_t *)0xE000E010u)
#define SYST_RVR (*(volatile uint32_t *)0xE000E014u)
#define SYST_CVR (*(volatile uint32_t *)0xE000E018u)

static uint8_t first_arena[FIRST_ARENA_BYTES] __attribute__((aligned(FIRST_ARENA_ALIGN)));
#ifdef SHARE_THE_ARENA
/* What INTEGRATION.md forbids; the test that this program can notice it. */
#define second_arena first_arena
#else
static uint8_t second_arena[SECOND_ARENA_BYTES] __attribute__((aligned(SECOND_ARENA_ALIGN)));
#endif
static int8_t first_alone[FIRST_OUTPUT_0_BYTES];
static int8_t second_alone[SECOND_OUTPUT_0_BYTES];

static volatile int running;
static volatile int32_t interrupts, preemptions, wrong;

static void run_first(void) {
    int8_t *input = first_input_0(first_arena);
    for (int i = 0; i < (int)FIRST_INPUT_0_ELEMENTS; i++) {
        input[i] = (int8_t)(i * 7 - 100);
    }
    running = 1;
    first_invoke(first_arena);
    running = 0;
}

static void run_second(void) {
    int8_t *input = second_input_0(second_arena);
    for (int i = 0; i < (int)SECOND_INPUT_0_ELEMENTS; i++) {
        input[i] = (int8_t)(90 - i * 3);
    }
    second_invoke(second_arena);
}

void SysTick_Handler(void);
void SysTick_Handler(void) {
    const int preempts = running;
    run_second();
    wrong += memcmp(second_output_0(second_arena), second_alone, sizeof second_alone) != 0;
    interrupts++;
    preemptions += preempts;
}

/* Ticks that the second model takes. */
static uint32_t time_second(void) {
    SYST_RVR = 0xFFFFFFu;
    SYST_CVR = 0u;
    SYST_CSR = 5u;
    run_second();
    const uint32_t left = SYST_CVR;
    SYST_CSR = 0u;
    return 0xFFFFFFu - left;
}

int main(void) {
    run_first();
    memcpy(first_alone, first_output_0(first_arena), sizeof first_alone);
    run_second();
    memcpy(second_alone, second_output_0(second_arena), sizeof second_alone);

    /* Longer than the interrupt's own work, or main would never get on. */
    const uint32_t period = time_second() * 3u / 2u;
    for (int32_t runs = 0; runs < RUNS; runs++) {
        /* Another period for each run, so that the interrupt comes everywhere. */
        SYST_RVR = period + (uint32_t)runs * 37u;
        SYST_CVR = 0u;
        SYST_CSR = 7u;
        run_first();
        SYST_CSR = 0u;
        wrong += memcmp(first_output_0(first_arena), first_alone, sizeof first_alone) != 0;
    }
    port_print("preemptions ");
    port_print_int(preemptions);
    port_print(" of ");
    port_print_int(interrupts);
    port_print(" wrong ");
    port_print_int(wrong);
    port_print("\n");
    return 0;
}
