/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A router with sources and targets that are nothing but memory, and that
 * complain as soon as something happens which must never happen, whatever came
 * in:
 *
 *   - a target gets a frame while it is not the active one;
 *   - a frame is empty, too long, or not closed by one SYN_REPORT at its end;
 *   - a key is pressed that the reader of the node believes to be down, or
 *     released that it believes to be up; autorepeat or a LED comes through;
 *   - both keys of the guard pair are down at a guest;
 *   - what comes of a frame is not what the model says, or a press comes out of
 *     anything but a frame: so none can reach two targets, and none gets lost;
 *   - a target becomes active, or no longer is, while a key is down there.
 *
 * witness_check looks at what must hold between two steps. */

#include "daemon/core/router.h"
#include "tests/scenario/model.h"

#define WITNESS_SOURCES_MAX MODEL_SOURCES_MAX
#define WITNESS_GUESTS_MAX 6
#define WITNESS_NAME_MAX 16

struct witness;

struct witness_source {
        struct source source;
        struct frame_reader reader;
        char name[WITNESS_NAME_MAX];
        bool plugged;
};

struct witness_target {
        struct target target;
        struct witness *witness; /* not owned */
        bool known; /* to the router */
        bool entered;
        /* What the reader of the node believes to be down, for each source's
         * mirror; a merged target uses the first alone. */
        struct keyset down[WITNESS_SOURCES_MAX];
};

struct witness {
        struct router router;
        struct witness_source sources[WITNESS_SOURCES_MAX];
        struct witness_target host, guests[WITNESS_GUESTS_MAX];
        uint64_t usec; /* the time */

        /* Told of every frame that a target gets; may be NULL. s is NULL if it
         * is of no source in particular. */
        void (*on_frame)(struct witness *w, const struct witness_target *t, const struct witness_source *s,
                         const struct input_event *events, unsigned n);
        void *userdata;

        struct model model;
        bool in_frame; /* the router is at work on one */
        struct model_events delivered; /* since then */
        char complaint[256]; /* the first; empty: none */
};

void witness_init(struct witness *w);

void witness_plug(struct witness *w, struct witness_source *s, const struct keyset *down);
void witness_unplug(struct witness *w, struct witness_source *s);
/* Events of the source as read(2) might return them: any number, frames cut
 * anywhere. actual: the state of the keys, should it be asked for. */
void witness_read(struct witness *w, struct witness_source *s, const struct input_event *events, unsigned n,
                  const struct keyset *actual);

/* Adds a guest that is not ready and has no guard; 0 or negative errno. */
int witness_add_guest(struct witness *w, struct witness_target *t, const char *name);
void witness_remove_guest(struct witness *w, struct witness_target *t, const char *reason);
void witness_pause(struct witness *w, const char *reason);

/* True if nothing is wrong; else w->complaint says what. */
bool witness_check(struct witness *w);
/* Releases all keys of all sources; afterwards nothing may be down anywhere. */
bool witness_finish(struct witness *w);
