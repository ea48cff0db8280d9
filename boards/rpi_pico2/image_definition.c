/* SPDX-License-Identifier: 0BSD
 *
 * What RP2350's boot ROM looks for in the first 4 kB of flash: a program for Arm, in the secure state,
 * that starts by the vector table at the beginning of flash. RP2350 Datasheet, section 5.9 (metadata
 * blocks).
 */
#include <stdint.h>

__attribute__((section(".image_definition"), used)) static const uint32_t image_definition[6] = {
    0xFFFFDED3u, /* a block begins */
    0x10210142u, /* image type, 1 word: executable, secure, Arm, RP2350 */
    0x000001FFu, /* the last item; 1 word before it */
    0x00000000u, /* the next block is this one: there are no others */
    0xAB123579u, /* the block ends */
    0u,
};
