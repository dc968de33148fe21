/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Input events as the scenario files write them: +a, -btn_left, *a, x:5,
 * scan:0x1e, capsl:1. See README.md. */

#include <linux/input.h>
#include <stdbool.h>
#include <stddef.h>

#define NOTATION_EVENT_MAX 48

/* 0, or -EINVAL if the word is no event. */
int notation_parse(const char *word, struct input_event *ret);
/* Never truncates within NOTATION_EVENT_MAX bytes. */
void notation_format(const struct input_event *ev, char ret[NOTATION_EVENT_MAX]);
/* The events of a frame without its SYN_REPORT, separated by spaces. */
void notation_format_frame(const struct input_event *events, unsigned n, char *ret, size_t size);
