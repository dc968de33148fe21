/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The difference of two texts as diff(1) shows it to people, unified. */

/* before, after: NULL is a file that is not there. Owned by the caller; empty if
 * they are the same. Without a diff(1), the whole of both. */
char *diff_unified(const char *name, const char *before, const char *after);
