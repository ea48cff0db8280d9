/* SPDX-License-Identifier: 0BSD
 *
 * The second stage of RP2040's boot (RP2040 Datasheet, chapter Bootrom): the boot ROM copies the first 256 bytes of
 * flash to RAM, and runs them if their CRC is right. It makes flash readable in place, by the read command 03h that every
 * serial flash has, at a quarter of the core's clock, and starts the program behind it. Registers: chapter SSI.
 *
 * The last word is the CRC-32 of the 252 bytes before it: polynomial 0x04C11DB7, from 0xFFFFFFFF, bits not reversed.
 * tests/boards/test_images.py computes it anew: a change here needs another.
 */
    .syntax unified
    .cpu cortex-m0plus
    .thumb
    .section .boot2, "ax", %progbits

    ldr r3, ssi
    movs r0, #0
    str r0, [r3, #0x08] /* SSIENR: off while it is set up */
    movs r0, #4
    str r0, [r3, #0x14] /* BAUDR: the core's clock by 4 */
    ldr r0, control
    str r0, [r3, #0x00] /* CTRLR0 */
    ldr r0, command
    ldr r1, ssi_spi
    str r0, [r1] /* SPI_CTRLR0 */
    movs r0, #0
    str r0, [r3, #0x04] /* CTRLR1: one word at a time */
    movs r0, #1
    str r0, [r3, #0x08] /* SSIENR */
    ldr r0, program
    ldr r1, vtor
    str r0, [r1]
    ldr r1, [r0, #0]
    ldr r2, [r0, #4]
    msr msp, r1
    bx r2

    .balign 4
ssi:
    .word 0x18000000
ssi_spi:
    .word 0x180000F4
control:
    .word 0x001F0300 /* words of 32 bits; a command, then data ("EEPROM read") */
command:
    .word 0x03000218 /* 03h, 8 bits; addresses of 24 bits; one line */
program:
    .word 0x10000100
vtor:
    .word 0xE000ED08

    .org 252
    .word 0xF347AA9F
