/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Frames with a number in them, and the reader that checks what came of them. */

#include <linux/input.h>
#include <stdbool.h>
#include <stdint.h>

enum traffic {
        TRAFFIC_MOTION, /* REL_X, REL_Y, SYN_REPORT */
        TRAFFIC_KEYS, /* MSC_SCAN, EV_KEY, SYN_REPORT: presses and releases by turns */
};

#define TRAFFIC_EVENTS 3
#define TRAFFIC_FRAMES_MAX (1u << 20)

/* The frame of that number. */
void traffic_frame(enum traffic t, unsigned seq, struct input_event ret[TRAFFIC_EVENTS]);

struct sink {
        int fd; /* not owned */
        enum traffic traffic;
        unsigned n_frames; /* expected, numbers 0 … n_frames - 1 */
        uint64_t *got_ns; /* not owned: when each one was read, CLOCK_MONOTONIC; 0: never */

        unsigned next; /* one more than the highest number that came */
        unsigned received;
        unsigned split; /* frames that are none of ours: torn, merged, or invented */
        unsigned disorder; /* a number for the second time, or behind a higher one */
        unsigned dropped; /* SYN_DROPPED: this reader itself was too slow */

        struct input_event frame[8]; /* of the frame under way, without its SYN_REPORT */
        unsigned n_frame;
};

/* One read(2), which waits. 0, or a negative errno. */
int sink_read(struct sink *s);

uint64_t now_ns(void);
