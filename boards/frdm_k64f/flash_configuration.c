/* SPDX-License-Identifier: 0BSD
 *
 * What the K64 reads from flash at 0x400 when it starts: nothing is protected, the chip is not secured.
 * Any other value of byte 12 (FSEC) may lock the debugger out. K64 Reference Manual rev. 4, chapter FTFE.
 */
#include <stdint.h>

__attribute__((section(".flash_configuration"), used)) static const uint8_t flash_configuration[16] = {
    0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, /* back-door key */
    0xFF, 0xFF, 0xFF, 0xFF,                         /* FPROT: no sector is protected */
    0xFE,                                           /* FSEC: not secured */
    0xFF, 0xFF, 0xFF,                               /* FOPT, FEPROT, FDPROT */
};
