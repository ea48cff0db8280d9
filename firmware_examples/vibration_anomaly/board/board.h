/* mps2_an386: Arm MPS2, FPGA image AN386: Cortex-M4 with FPU. */
#ifndef BOARD_H
#define BOARD_H

#define BOARD_NAME "mps2_an386"
#define BOARD_CLOCK_HZ 25000000u

/* The counter of port_counter(). */
#define BOARD_TIMER_ADDRESS 0x40000000u
#define BOARD_TIMER_HZ 25000000u
#define BOARD_TIMER_BITS 32

/* UART0: UART0_TX sends, UART0_RX receives; serial port of the board. */
#define BOARD_UART_ADDRESS 0x40004000u
#define BOARD_UART_CLOCK_HZ 25000000u
#define BOARD_UART_BAUD 115200u

#endif
