/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/table.h"

#include <stdio.h>

#define COLUMNS_MAX 8

struct row {
        char *heading; /* then there are no cells */
        char *cells[COLUMNS_MAX];
        enum text_colour colours[COLUMNS_MAX];
        unsigned n_cells;
};

struct table {
        struct row *rows;
        unsigned n_rows;
        unsigned widths[COLUMNS_MAX];
};

struct table *table_new(void)
{
        return xnew0(struct table, 1);
}

struct table *table_free(struct table *t)
{
        if (!t)
                return NULL;
        for (unsigned i = 0; i < t->n_rows; i++) {
                free(t->rows[i].heading);
                for (unsigned k = 0; k < t->rows[i].n_cells; k++)
                        free(t->rows[i].cells[k]);
        }
        free(t->rows);
        free(t);
        return NULL;
}

void table_row(struct table *t)
{
        t->rows = xreallocarray(t->rows, t->n_rows + 1, sizeof(*t->rows));
        t->rows[t->n_rows++] = (struct row) { 0 };
}

void table_heading(struct table *t, const char *text)
{
        table_row(t);
        t->rows[t->n_rows - 1].heading = text_clean(text);
}

void table_cell(struct table *t, enum text_colour colour, const char *text)
{
        struct row *row = &t->rows[t->n_rows - 1];
        unsigned column = row->n_cells;

        if (column >= COLUMNS_MAX)
                return;
        row->cells[column] = text_clean(text);
        row->colours[column] = colour;
        row->n_cells++;
        t->widths[column] = MAX(t->widths[column], text_width(row->cells[column]));
}

static void print_row(const struct table *t, const struct row *row)
{
        unsigned blanks = 2;

        for (unsigned i = 0; i < row->n_cells; i++) {
                const char *cell = row->cells[i];

                if (*cell) {
                        printf("%*s%s%s%s", (int) blanks, "", text_begin(row->colours[i]), cell,
                               text_end(row->colours[i]));
                        blanks = 0;
                }
                if (t->widths[i])
                        blanks += t->widths[i] - text_width(cell) + 2;
        }
        putchar('\n');
}

void table_print(const struct table *t)
{
        for (unsigned i = 0; i < t->n_rows; i++)
                if (t->rows[i].heading)
                        printf("%s\n", t->rows[i].heading);
                else
                        print_row(t, &t->rows[i]);
}
