/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

/* Copy of s in which everything that is not printable UTF-8 is a '?', so that
 * it may go over the bus and onto a terminal. Names of devices come from their
 * firmware and can hold anything. Owned by the caller. */
char *text_printable(const char *s);

/* Cuts well-formed UTF-8 to at most max bytes, not through a character. */
void text_cut(char *s, size_t max);
