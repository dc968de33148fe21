/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Columns on stdout, as wide as what they hold. */

#include "client/text.h"

struct table;

struct table *table_new(void);
struct table *table_free(struct table *t);
DEFINE_CLEANUP(struct table *, table_free);

/* A line over the rows that follow; no columns. Cleaned and copied. */
void table_heading(struct table *t, const char *text);
void table_row(struct table *t);
/* The next cell of the last row; cleaned and copied, NULL is empty. */
void table_cell(struct table *t, enum text_colour colour, const char *text);

/* Each row indented, without blanks at its end. */
void table_print(const struct table *t);
