/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The lines of "vfioctl monitor". */

#include "client/client.h"
#include "common/mem.h"

/* Prints one event with the time of day: as the words, or with --json as an object
 * of the event's name and the fields, which are keys and values in turn, ended by
 * NULL. 0, or a negative errno if it cannot be written. */
int event_print(const struct client *c, const char *name, const char *const *fields, const char *words, ...)
        _printf_(4, 5);

#define EVENT_FIELDS(...) ((const char *const[]) { __VA_ARGS__, NULL })
