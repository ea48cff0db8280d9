/* SPDX-License-Identifier: 0BSD
 *
 * This board needs nothing before its programs: its clock is that of reset, its console needs no pins.
 */
#include "port.h"

void board_start(void) {
}
