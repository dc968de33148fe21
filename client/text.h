/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Words for people.
 *
 * A USB device chooses its own name, so what comes over the bus may hold escape
 * sequences that would act on the reader's terminal. Everything that is printed
 * for people passes through text_clean. */

#include <stdbool.h>
#include <stdint.h>

#include "common/mem.h"

/* Decodes one character: its length in bytes, or 0 if s does not begin with valid UTF-8. s is not at its end. */
unsigned text_decode(const char *s, uint32_t *ret);
bool text_is_utf8(const char *s);
/* Characters that act on a terminal or on the order of what it shows. */
bool text_is_unsafe(uint32_t c);

/* Copy, owned by the caller, with a question mark for each byte that is unsafe
 * or no UTF-8. (To fnmatch(3) the question mark is any one byte: a cleaned name
 * still selects its device.) NULL gives an empty string. */
char *text_clean(const char *s);
/* Columns that a clean string takes on the terminal. */
unsigned text_width(const char *s);

/* "vfioctl: …" on stderr, cleaned. */
void text_complain(const char *format, ...) _printf_(1, 2);
/* A note on stderr, cleaned; for people only, so not with --json. */
void text_note(const char *format, ...) _printf_(1, 2);

enum text_colour {
        TEXT_PLAIN,
        TEXT_BOLD,
        TEXT_RED,
        TEXT_GREEN,
        TEXT_YELLOW,
};

/* Escape sequences that begin and end a colour on stdout; empty if it is no terminal or the user wants none. */
const char *text_begin(enum text_colour colour);
const char *text_end(enum text_colour colour);

/* "leftctrl + rightctrl", "leftctrl twice", "none". keys as on the bus; owned by the caller. */
char *text_hotkey(char *const *keys);
