/* SPDX-License-Identifier: 0BSD
 *
 * Vector table, reset and faults for every Cortex-M. In a product, your vendor's start-up code
 * takes this file's place; what inference needs of it is in Reset_Handler: .data, .bss, FPU on.
 */
#include "port.h"

/* A section that is copied to its place before it is used (linker.ld). */
typedef struct {
    const uint32_t *from;
    uint32_t *to;
    uint32_t bytes;
} copy_t;

extern const copy_t copy_table_start[], copy_table_end[];
extern uint32_t stack_top, data_load, data_start, data_end, bss_start, bss_end;

int main(void);
void Reset_Handler(void);
void Fault_Handler(void);

/* The linker script makes each of these Fault_Handler where the program has no such function. */
void NMI_Handler(void);
void HardFault_Handler(void);
void MemManage_Handler(void);
void BusFault_Handler(void);
void UsageFault_Handler(void);
void SecureFault_Handler(void);
void SVC_Handler(void);
void DebugMon_Handler(void);
void PendSV_Handler(void);
void SysTick_Handler(void);

typedef struct {
    const uint32_t *initial_stack;
    void (*handlers[15])(void);
} vectors_t;

extern const vectors_t vectors;
/* The 16 entries of the architecture; the interrupts of the device follow in a product. */
__attribute__((section(".vectors"), used)) const vectors_t vectors = {
    &stack_top,
    {
        Reset_Handler,
        NMI_Handler,
        HardFault_Handler,
        MemManage_Handler,
        BusFault_Handler,
        UsageFault_Handler,
        SecureFault_Handler,
        NULL,
        NULL,
        NULL,
        SVC_Handler,
        DebugMon_Handler,
        NULL,
        PendSV_Handler,
        SysTick_Handler,
    },
};

/* Without this, the first floating-point or MVE instruction is a UsageFault: full access to
 * coprocessors 10 and 11 in CPACR (Armv7-M B3.2.20, Armv8-M D1.2.13).
 */
static void enable_fpu_and_mve(void) {
#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
    volatile uint32_t *const cpacr = (volatile uint32_t *)0xE000ED88u;
    *cpacr |= 0xFu << 20;
    __asm__ volatile("dsb\n\tisb" ::: "memory");
#endif
}

/* Armv6-M refuses words at unaligned addresses, always. Where its code runs on a larger core, that core
 * is told to do the same (UNALIGN_TRP in CCR, Armv7-M B3.2.8), so that no such access goes unseen.
 */
static void trap_unaligned_words(void) {
#if __ARM_ARCH_ISA_THUMB == 1
    volatile uint32_t *const ccr = (volatile uint32_t *)0xE000ED14u;
    *ccr |= 1u << 3;
    __asm__ volatile("dsb\n\tisb" ::: "memory");
#endif
}

/* Where the vectors are, for a core that comes from a boot loader (VTOR, Armv7-M B3.2.5). */
static void set_vectors(void) {
#if __ARM_ARCH_ISA_THUMB >= 2
    *(volatile uint32_t *)0xE000ED08u = (uint32_t)(uintptr_t)&vectors;
    __asm__ volatile("dsb" ::: "memory");
#endif
}

/* The FPU must be on before the compiler may use its registers, even to copy: hence two functions. */
__attribute__((noinline, noreturn)) static void start(void) {
    board_start();
    set_vectors();
    const uint32_t *from = &data_load;
    for (uint32_t *to = &data_start; to < &data_end; to++) {
        *to = *from++;
    }
    for (const copy_t *copy = copy_table_start; copy < copy_table_end; copy++) {
        for (uint32_t i = 0; i < copy->bytes / 4u; i++) {
            copy->to[i] = copy->from[i];
        }
    }
    for (uint32_t *to = &bss_start; to < &bss_end; to++) {
        *to = 0u;
    }
    port_start();
    port_exit(main());
}

void Reset_Handler(void) {
    enable_fpu_and_mve();
    trap_unaligned_words();
    start();
}

/* Bit 2 of EXC_RETURN says on which stack the registers are. Registers below the stack mean that it
 * has overflowed: then nothing is known but that, and the report needs a stack to run on.
 * Written for Thumb-1, so for all cores.
 */
__attribute__((naked)) void Fault_Handler(void) {
    __asm__ volatile(".syntax unified\n\t"
                     "mov r1, lr\n\t"
                     "movs r2, #4\n\t"
                     "mrs r0, msp\n\t"
                     "tst r1, r2\n\t"
                     "beq 1f\n\t"
                     "mrs r0, psp\n"
                     "1:\tldr r2, =stack_limit\n\t"
                     "cmp r0, r2\n\t"
                     "bhs 2f\n\t"
                     "ldr r0, =stack_top\n\t"
                     "msr msp, r0\n\t"
                     "movs r0, #0\n"
                     "2:\tldr r2, =port_fault\n\t"
                     "bx r2\n\t"
                     ".ltorg");
}
