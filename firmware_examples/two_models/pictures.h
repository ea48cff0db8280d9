/* SPDX-License-Identifier: 0BSD
 *
 * Pictures of 8 x 8 pixels: in a product, a camera or a touch panel takes this file's place.
 */
#ifndef PICTURES_H
#define PICTURES_H

#define PICTURE_PIXELS 64

/* How dark a pixel is: blank 0, then a quarter more for each of these. */
#define PICTURE_SHADES " .+#@"

static const char *const pictures[] = {
    /* Zero. */
    "  .#@+  "
    "  @@@@. "
    " .@.  @+"
    " +@   +@"
    " +@   .@"
    " .@.  +@"
    "  @#+#@."
    "  .#@#. ",

    /* Nothing. */
    "        "
    "        "
    "        "
    "        "
    "        "
    "        "
    "        "
    "        ",

    /* Dirt. */
    "     .  "
    " +      "
    "      . "
    "   .    "
    "      + "
    " .      "
    "    .   "
    "        ",

    /* One. */
    "   .@+  "
    "  .#@+  "
    " .#@@+  "
    "  +#@+  "
    "   .@#  "
    "   .@#  "
    "   .@@  "
    "   .@@. ",

    /* Seven. */
    "  #@@@. "
    "  #@@@@ "
    "     @+ "
    "    #@. "
    " .#@@@#."
    "  .@#.  "
    "  #@    "
    "  @#    ",
};

#define PICTURES ((int32_t)(sizeof pictures / sizeof pictures[0]))

#endif
