/* SPDX-License-Identifier: 0BSD
 *
 * Inference in a task, beside an interrupt that must not wait for it. SysTick samples a current 1600 times a
 * second. After each 128 samples it wakes a task that says what kind of load draws it, and that has to be
 * done before the next 128 are there. Another task, of lower priority, prints; main has what is left.
 *
 * Files: mains.c (the simulated sensor), scheduler.c (tasks), model/ (generated).
 */
#include "board.h"
#include "load.h"
#include "mains.h"
#include "port.h"
#include "scheduler.h"

/* SysTick, in every Cortex-M (Armv7-M B3.3): control, reload value and current value, which counts down. */
#define SYST_CSR (*(volatile uint32_t *)0xE000E010u)
#define SYST_RVR (*(volatile uint32_t *)0xE000E014u)
#define SYST_CVR (*(volatile uint32_t *)0xE000E018u)
#define SYST_ON 7u

#define WINDOW 128
#define PERIOD (BOARD_CLOCK_HZ / MAINS_HZ) /* of the interrupt, in cycles */
#define DEADLINE ((uint32_t)WINDOW * PERIOD)
/* The program: every load in turn, each for some windows. */
#define WINDOWS_PER_LOAD 4
#define WINDOWS (2 * LOADS * WINDOWS_PER_LOAD)
#define STACK_WORDS 320

/* The model that this was written for. */
typedef char input_is_a_window[LOAD_INPUT_0_ELEMENTS == WINDOW ? 1 : -1];
typedef char output_is_a_load[LOAD_OUTPUT_0_ELEMENTS == LOADS ? 1 : -1];

static const char *const names[LOADS] = {"off", "heater", "motor", "dimmer", "supply"};

static uint8_t arena[LOAD_ARENA_BYTES] __attribute__((aligned(LOAD_ARENA_ALIGN)));
static uint32_t inference_stack[STACK_WORDS] __attribute__((aligned(8)));
static uint32_t report_stack[STACK_WORDS] __attribute__((aligned(8)));

static mains_t mains;
static int16_t samples[2][WINDOW];      /* one is filled while the other is looked at */
static volatile uint32_t ticks, latest; /* interrupts so far; the largest delay of one, in cycles */
static signal_t window_ready, result_ready;

static volatile int32_t result;
static volatile uint32_t slowest,
    missed; /* inferences: the longest in cycles, and how many missed the deadline */

/* Cycles since the start, 32 bits of them. */
static uint32_t now(void) {
    uint32_t before, value;
    do {
        before = ticks;
        value = SYST_CVR;
    } while (before != ticks);
    return before * PERIOD + (PERIOD - value) % PERIOD;
}

void SysTick_Handler(void);
void SysTick_Handler(void) {
    const uint32_t delay = (PERIOD - SYST_CVR) % PERIOD; /* it begins again from PERIOD - 1 */
    /* An emulator's timer may be early by a cycle. */
    latest = delay > latest && delay < PERIOD / 2u ? delay : latest;
    const uint32_t i = ticks++;
    samples[i / WINDOW % 2u][i % WINDOW] = mains_read(&mains);
    if (ticks % WINDOW == 0u) {
        if (ticks % (WINDOW * WINDOWS_PER_LOAD) == 0u) {
            mains_connect(&mains, (mains.load + 1) % LOADS);
        }
        scheduler_give(&window_ready);
    }
}

static int32_t classify(const int16_t *window) {
    int8_t *input = load_input_0(arena);
    for (int i = 0; i < WINDOW; i++) {
        input[i] = load_input_0_quantize((float)window[i] / 1000.0f);
    }
    load_invoke(arena);
    const int8_t *scores = load_output_0(arena);
    int32_t best = 0;
    for (int32_t i = 1; i < LOADS; i++) {
        best = scores[i] > scores[best] ? i : best;
    }
    return best;
}

static void inference_task(void) {
    for (uint32_t window = 0;; window++) {
        scheduler_wait(&window_ready);
        const uint32_t ready = (window + 1u) * DEADLINE; /* when its last sample came, in cycles */
        result = classify(samples[window % 2u]);
        const uint32_t took = now() - ready;
        slowest = took > slowest ? took : slowest;
        missed += took > DEADLINE;
        scheduler_give(&result_ready);
    }
}

static void print_tenths(uint32_t tenths) {
    port_print_int((int32_t)(tenths / 10u));
    port_print(".");
    port_print_int((int32_t)(tenths % 10u));
}

static void print_summary(uint32_t right) {
    port_print_int((int32_t)right);
    port_print(" of ");
    port_print_int(WINDOWS);
    port_print(" windows right\ninference: done at most ");
    print_tenths(slowest / (BOARD_CLOCK_HZ / 10000u));
    port_print(" ms after its window, deadline ");
    print_tenths(DEADLINE / (BOARD_CLOCK_HZ / 10000u));
    port_print(" ms, missed ");
    port_print_int((int32_t)missed);
    port_print("\ninterrupt: at most ");
    port_print_int((int32_t)latest);
    port_print(" cycles late\n");
}

static void report_task(void) {
    uint32_t right = 0;
    int32_t shown = -1;
    for (uint32_t window = 0; window < WINDOWS; window++) {
        scheduler_wait(&result_ready);
        right += result == (int32_t)(window / WINDOWS_PER_LOAD % LOADS);
        if (result != shown) {
            shown = result;
            print_tenths(window * 10u * WINDOW / MAINS_HZ);
            port_print(" s: ");
            port_print(names[shown]);
            port_print("\n");
        }
    }
    print_summary(right);
    port_exit(missed != 0u);
}

int main(void) {
    mains_start(&mains, 5u);
    scheduler_create(inference_task, inference_stack, STACK_WORDS);
    scheduler_create(report_task, report_stack, STACK_WORDS);
    scheduler_start();
    SYST_RVR = PERIOD - 1u;
    SYST_CVR = 0u;
    SYST_CSR = SYST_ON;
    for (;;) {
        __asm__ volatile("wfi"); /* sleep until the next interrupt */
    }
}
