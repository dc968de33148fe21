/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Frames: what one device sent up to and including a SYN_REPORT.
 *
 * A frame is the unit that travels: never split, never merged with another
 * device's. frame_reader cuts what read(2) returned into frames, in place, and
 * recognises the kernel's overflow mark:
 *
 *   SYN_DROPPED  the kernel's ring overflowed. All events up to and including
 *                the next SYN_REPORT are rubbish, then the state of the keys
 *                must be asked for anew (EVIOCGKEY).
 *
 * Source: Documentation/input/event-codes.rst, EV_SYN. */

#include <linux/input.h>
#include <stdbool.h>

/* The longest frame that we take. The kernel's ring of a keyboard or mouse
 * holds 64 to 128 events (drivers/input/evdev.c), a frame is a few. */
#define FRAME_EVENTS_MAX 128

struct frame_reader {
        struct input_event events[FRAME_EVENTS_MAX * 2];
        unsigned start, end; /* unread part of events */
        bool dropping; /* behind a SYN_DROPPED */
};

enum frame_result {
        FRAME_NONE, /* nothing complete is left: read more */
        FRAME_READY, /* *ret_events holds a frame */
        FRAME_RESYNC, /* events were lost: ask for the state of the keys */
};

/* Where the next read(2) may write, and how many events fit (at least one). */
struct input_event *frame_reader_space(struct frame_reader *r, unsigned *ret_n);
/* n events have been read to there. */
void frame_reader_filled(struct frame_reader *r, unsigned n);
/* The next frame; it lies in the reader's buffer until the next call of
 * frame_reader_space. *ret_n counts the SYN_REPORT. */
enum frame_result frame_reader_next(struct frame_reader *r, struct input_event **ret_events, unsigned *ret_n);
