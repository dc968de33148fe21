/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Tells when an input device of the host goes away: its number may soon be
 * another one's. */

#include <systemd/sd-event.h>

#include "common/mem.h"

struct input_watch;

typedef void (*input_watch_fn)(void *userdata);

int input_watch_new(sd_event *event, input_watch_fn fn, void *userdata, struct input_watch **ret);
struct input_watch *input_watch_free(struct input_watch *w);
DEFINE_CLEANUP(struct input_watch *, input_watch_free);
