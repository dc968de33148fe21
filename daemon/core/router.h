/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The router decides where every frame goes. It is pure: no descriptor, clock,
 * allocation or log; time comes in with the events, effects go out through
 * target_ops, and what the rest of the daemon should tell the world waits as
 * notices.
 *
 * Two sets of keys are kept for each source:
 *
 *   down  what is physically down, as far as the source has said;
 *   held  the part of it whose press was delivered to the active target.
 *
 * A press is delivered at most once, to the target that is active then. On a
 * switch the old target gets one frame that releases all it holds and every
 * `held` becomes empty, so the later physical releases reach nobody. Hence
 * every target sees, for every key, strictly alternating press and release,
 * beginning and ending with released, and no target but the active one ever
 * has a key down. All that can happen (unplug, lost events, pause, a target
 * lost) is expressed with these two sets. */

#include <linux/input.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/core/chord.h"
#include "daemon/core/frame.h"
#include "daemon/core/keyset.h"
#include "daemon/core/target.h"

#define ROUTER_TARGETS_MAX 32
#define ROUTER_NOTICES_MAX 16

/* An input device as the router sees it. Embedded in the daemon's device. */
struct source {
        struct keyset down;
        struct keyset held; /* always a subset of down */
        struct source *next; /* the router's list */
};

enum notice_kind {
        NOTICE_SWITCHED, /* from, to, reason */
        NOTICE_REFUSED, /* to, reason */
        NOTICE_PANIC, /* forwarding has been paused by the panic chord */
        NOTICE_IDENTIFIED, /* source: the first one pressed after router_identify */
};

/* Something that happened on the input path and that others may want to know. */
struct notice {
        enum notice_kind kind;
        char from[TARGET_NAME_MAX + 1], to[TARGET_NAME_MAX + 1];
        char reason[128];
        struct source *source;
};

struct router {
        struct source *sources; /* not owned */
        struct target *targets[ROUTER_TARGETS_MAX]; /* not owned; [0] is the host */
        unsigned n_targets;
        struct target *active; /* never NULL */
        struct target *last_guest; /* the guest last active, or NULL */
        bool paused;
        bool identify; /* the next press is reported */

        struct chord toggle, next;
        uint64_t double_tap_usec;

        struct notice notices[ROUTER_NOTICES_MAX]; /* the oldest are kept if it overflows, and a panic */
        unsigned n_notices;

        struct input_event out[FRAME_EVENTS_MAX * 2]; /* scratch for frames that are not passed on as they are */
};

/* host: always ready, not owned, must outlive the router. */
void router_init(struct router *r, struct target *host);

/* The source joins. down: keys that were down when it was grabbed; they are
 * masked: their release reaches nobody. */
void router_add_source(struct router *r, struct source *s, const struct keyset *down);
/* The source is gone: what it held is released. */
void router_remove_source(struct router *r, struct source *s);

/* A frame of a source that has joined. The buffer may be changed. usec: time of
 * the frame, CLOCK_MONOTONIC in microseconds. */
void router_frame(struct router *r, struct source *s, struct input_event *events, unsigned n, uint64_t usec);
/* Events of the source were lost; actual is the present state of its keys.
 * Missed releases and presses are made up for as one frame. */
void router_resync(struct router *r, struct source *s, const struct keyset *actual, uint64_t usec);

/* 0, or -ENOSPC, -EEXIST. The target is not owned. */
int router_add_target(struct router *r, struct target *t);
/* Goes back to the host first if it is the active one. */
void router_remove_target(struct router *r, struct target *t, const char *reason);
struct target *router_find_target(struct router *r, const char *name);
/* Losing the active target goes back to the host by itself. */
void router_set_ready(struct router *r, struct target *t, bool ready, const char *reason);

/* Switches now. 0 (also if it is active already); -EAGAIN: paused; -EHOSTDOWN:
 * not ready, noticed as refused. */
int router_switch(struct router *r, struct target *t, const char *reason);
/* Host <-> the guest last used, or the first that is ready. The same results;
 * -ENOENT: no guest at all, noticed as refused. */
int router_toggle(struct router *r, const char *reason);
/* The next ready target in order. */
int router_switch_next(struct router *r, const char *reason);

/* Releases everything and forwards nothing until resumed. Goes back to the host.
 * Frames may come meanwhile; what they press reaches nobody, also afterwards. */
void router_pause(struct router *r, const char *reason);
void router_resume(struct router *r);
/* Reports the source of the next press (NOTICE_IDENTIFIED). */
void router_identify(struct router *r);
