/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the contract says must become of a frame, told a second time and as
 * plainly as possible: slow, with everything written out, sharing nothing with
 * the router but its configuration. The witness compares the two. */

#include "daemon/core/router.h"

#define MODEL_SOURCES_MAX 6
#define MODEL_EVENTS_MAX (FRAME_EVENTS_MAX * 2)

/* Keys, buttons and axes; what else is in frames does not count here. */
struct model_events {
        struct input_event items[MODEL_EVENTS_MAX];
        unsigned n;
};

struct model {
        struct keyset down[MODEL_SOURCES_MAX]; /* physically */
        struct keyset held[MODEL_SOURCES_MAX]; /* of it, what belongs to the active target */

        /* The last press of all, for double taps. */
        unsigned tapped; /* key; 0: none */
        uint64_t tap_usec;
        bool tap_spent; /* it was the second one already */
};

struct model_verdict {
        bool switches; /* a chord was completed: the active target may change */
        bool panics;
        struct model_events events; /* that the active target must get */
};

/* A frame of a source, before the router sees it. */
void model_frame(struct model *m, const struct router *r, unsigned source, const struct input_event *events, unsigned n,
                 uint64_t usec, struct model_verdict *ret);
/* The active target lost all its keys: a switch, a pause. */
void model_disown(struct model *m);
/* Only what counts here. */
void model_events_add(struct model_events *e, const struct input_event *events, unsigned n);
