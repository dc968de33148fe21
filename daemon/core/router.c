/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/core/router.h"

#include <stdio.h>

#include "common/mem.h"

/* What a frame asks for beside being delivered. Done after its delivery, so
 * that the frame goes whole to the target that was active when it came. */
struct verdict {
        enum {
                VERDICT_NONE,
                VERDICT_TOGGLE,
                VERDICT_NEXT,
                VERDICT_DIRECT, /* target */
                VERDICT_PANIC, /* beats the others */
        } kind;
        struct target *target;
};

static struct notice *notice_new(struct router *r, enum notice_kind kind)
{
        struct notice *n;

        if (r->n_notices == ROUTER_NOTICES_MAX) {
                if (kind != NOTICE_PANIC)
                        return NULL;
                r->n_notices--; /* the grabs hang on this one */
        }
        n = &r->notices[r->n_notices++];
        *n = (struct notice) { .kind = kind };
        return n;
}

static void notice_refused(struct router *r, const char *target, const char *reason)
{
        struct notice *n = notice_new(r, NOTICE_REFUSED);

        if (!n)
                return;
        (void) snprintf(n->to, sizeof(n->to), "%s", target);
        (void) snprintf(n->reason, sizeof(n->reason), "%s", reason);
}

static void notice_switched(struct router *r, const struct target *from, const struct target *to, const char *reason)
{
        struct notice *n = notice_new(r, NOTICE_SWITCHED);

        if (!n)
                return;
        (void) snprintf(n->from, sizeof(n->from), "%s", from->name);
        (void) snprintf(n->to, sizeof(n->to), "%s", to->name);
        (void) snprintf(n->reason, sizeof(n->reason), "%s", reason);
}

static void keyset_unite(struct keyset *s, const struct keyset *with)
{
        for (unsigned i = 0; i < KEYSET_WORDS; i++)
                s->words[i] |= with->words[i];
}

static struct keyset all_down(const struct router *r)
{
        struct keyset all = { 0 };

        for (const struct source *s = r->sources; s; s = s->next)
                keyset_unite(&all, &s->down);
        return all;
}

static bool held_by_another(const struct router *r, const struct source *than, unsigned key)
{
        for (const struct source *s = r->sources; s; s = s->next)
                if (s != than && keyset_has(&s->held, key))
                        return true;
        return false;
}

static bool guard_blocks(const struct router *r, const struct target *t, unsigned key)
{
        if (!t->guard[0])
                return false;
        if (key == t->guard[0])
                return held_by_another(r, NULL, t->guard[1]);
        if (key == t->guard[1])
                return held_by_another(r, NULL, t->guard[0]);
        return false;
}

/* Sends releases for all keys of the set to the active target, as one frame
 * (more only for more keys than a keyboard and ten fingers can hold down). */
static void send_releases(struct router *r, struct source *s, const struct keyset *keys)
{
        unsigned n = 0;

        KEYSET_FOREACH (key, keys) {
                r->out[n++] = (struct input_event) { .type = EV_KEY, .code = (uint16_t) key };
                if (n < FRAME_EVENTS_MAX - 1)
                        continue;
                r->out[n++] = (struct input_event) { .type = EV_SYN, .code = SYN_REPORT };
                r->active->ops->frame(r->active, s, r->out, n);
                n = 0;
        }
        if (n == 0)
                return;
        r->out[n++] = (struct input_event) { .type = EV_SYN, .code = SYN_REPORT };
        r->active->ops->frame(r->active, s, r->out, n);
}

static void release_all(struct router *r)
{
        struct keyset held = { 0 };

        for (struct source *s = r->sources; s; s = s->next) {
                if (r->active->merged)
                        keyset_unite(&held, &s->held);
                else
                        send_releases(r, s, &s->held);
                s->held = (struct keyset) { 0 };
        }
        if (r->active->merged)
                send_releases(r, NULL, &held);
}

static void activate(struct router *r, struct target *to, const char *reason)
{
        struct target *from = r->active;

        release_all(r);
        from->ops->leave(from);
        r->active = to;
        if (to != r->targets[0])
                r->last_guest = to;
        to->switches++;
        to->ops->enter(to);
        notice_switched(r, from, to, reason);
}

void router_init(struct router *r, struct target *host)
{
        *r = (struct router) {
                .targets = { host },
                .n_targets = 1,
                .active = host,
        };
}

void router_add_source(struct router *r, struct source *s, const struct keyset *down)
{
        s->down = *down;
        s->held = (struct keyset) { 0 };
        s->next = r->sources;
        r->sources = s;
}

void router_remove_source(struct router *r, struct source *s)
{
        struct keyset held = s->held;

        if (r->active->merged)
                KEYSET_FOREACH (key, &s->held)
                        if (held_by_another(r, s, key))
                                keyset_remove(&held, key);
        send_releases(r, s, &held);

        for (struct source **p = &r->sources; *p; p = &(*p)->next)
                if (*p == s) {
                        *p = s->next;
                        break;
                }
        *s = (struct source) { 0 };
        for (unsigned i = 0; i < r->n_notices; i++)
                if (r->notices[i].source == s)
                        r->notices[i].source = NULL;
}

/* Every chord sees every press, or a double tap would miss what came between. */
static struct verdict recognise(struct router *r, const struct keyset *down, unsigned key, uint64_t usec)
{
        struct chord panic = { .hotkey = HOTKEY_PANIC };
        struct verdict v = { 0 };

        for (unsigned i = r->n_targets; i-- > 0;)
                if (chord_press(&r->targets[i]->chord, down, key, usec, r->double_tap_usec))
                        v = (struct verdict) { VERDICT_DIRECT, r->targets[i] };
        if (chord_press(&r->next, down, key, usec, r->double_tap_usec))
                v = (struct verdict) { VERDICT_NEXT, NULL };
        if (chord_press(&r->toggle, down, key, usec, r->double_tap_usec))
                v = (struct verdict) { VERDICT_TOGGLE, NULL };
        if (chord_press(&panic, down, key, usec, 0))
                v = (struct verdict) { VERDICT_PANIC, NULL };
        return v;
}

static void report_identified(struct router *r, struct source *s)
{
        struct notice *n = notice_new(r, NOTICE_IDENTIFIED);

        r->identify = false;
        if (n)
                n->source = s;
}

/* True if the press is to be delivered. */
static bool press(struct router *r, struct source *s, unsigned key, uint64_t usec, struct verdict *verdict)
{
        struct keyset down;
        struct verdict v;

        if (keyset_has(&s->down, key))
                return false;
        down = all_down(r);
        keyset_add(&s->down, key);
        if (r->identify)
                report_identified(r, s);

        v = recognise(r, &down, key, usec);
        if (v.kind != VERDICT_NONE) {
                /* One a frame is obeyed; the key of another is swallowed all the same. */
                if (v.kind == VERDICT_PANIC || verdict->kind == VERDICT_NONE)
                        *verdict = v;
                return false;
        }
        if (!r->active->merged) {
                keyset_add(&s->held, key);
                return true;
        }
        if (guard_blocks(r, r->active, key))
                return false;
        keyset_add(&s->held, key);
        return !held_by_another(r, s, key);
}

/* True if the release is to be delivered. */
static bool release(struct router *r, struct source *s, unsigned key)
{
        bool held = keyset_has(&s->held, key);

        keyset_remove(&s->down, key);
        keyset_remove(&s->held, key);
        return held && !(r->active->merged && held_by_another(r, s, key));
}

/* Keeps, in place, the events that the active target gets; returns how many. */
static unsigned filter(struct router *r, struct source *s, struct input_event *events, unsigned n, uint64_t usec,
                       struct verdict *verdict)
{
        unsigned kept = 0;
        bool worth = false; /* more than scan codes and the SYN_REPORT */

        for (unsigned i = 0; i < n; i++) {
                struct input_event *ev = &events[i];
                bool deliver = false;

                switch (ev->type) {
                case EV_KEY:
                        if (ev->code >= KEY_CNT)
                                break;
                        if (ev->value == 1)
                                deliver = press(r, s, ev->code, usec, verdict);
                        else if (ev->value == 0)
                                deliver = release(r, s, ev->code);
                        /* A scan code goes the way of its key. */
                        if (!deliver && kept > 0 && events[kept - 1].type == EV_MSC)
                                kept--;
                        worth |= deliver;
                        break;
                case EV_REL:
                case EV_ABS:
                        deliver = worth = true;
                        break;
                case EV_MSC:
                case EV_SYN:
                        deliver = true;
                        break;
                default: /* LEDs and sounds that somebody set on the device */
                        break;
                }
                if (deliver)
                        events[kept++] = *ev;
        }
        return worth ? kept : 0;
}

static void panic(struct router *r)
{
        router_pause(r, "panic");
        (void) notice_new(r, NOTICE_PANIC);
}

static void obey(struct router *r, struct verdict v)
{
        switch (v.kind) {
        case VERDICT_NONE:
                break;
        case VERDICT_TOGGLE:
                (void) router_toggle(r, "hotkey");
                break;
        case VERDICT_NEXT:
                (void) router_switch_next(r, "hotkey");
                break;
        case VERDICT_DIRECT:
                (void) router_switch(r, v.target, "hotkey");
                break;
        case VERDICT_PANIC:
                panic(r);
                break;
        }
}

/* Nothing is delivered, but what is down is known, or keys would be lost after
 * the pause. */
static void follow(struct source *s, const struct input_event *events, unsigned n)
{
        for (unsigned i = 0; i < n; i++) {
                if (events[i].type != EV_KEY || events[i].code >= KEY_CNT)
                        continue;
                if (events[i].value == 1)
                        keyset_add(&s->down, events[i].code);
                else if (events[i].value == 0)
                        keyset_remove(&s->down, events[i].code);
        }
}

/* Frames of motion only, the most frequent ones, are passed on untouched. */
static bool is_motion(const struct input_event *events, unsigned n)
{
        for (unsigned i = 0; i < n - 1; i++)
                if (events[i].type != EV_REL)
                        return false;
        return n > 1;
}

void router_frame(struct router *r, struct source *s, struct input_event *events, unsigned n, uint64_t usec)
{
        struct verdict verdict = { 0 };

        if (r->paused) {
                follow(s, events, n);
                return;
        }
        if (!is_motion(events, n))
                n = filter(r, s, events, n, usec, &verdict);
        if (n > 1)
                r->active->ops->frame(r->active, s, events, n);
        if (verdict.kind != VERDICT_NONE)
                obey(r, verdict);
}

void router_resync(struct router *r, struct source *s, const struct keyset *actual, uint64_t usec)
{
        struct input_event events[FRAME_EVENTS_MAX];
        const struct keyset before = s->down;
        unsigned n = 0;

        for (int value = 0; value <= 1; value++)
                for (unsigned key = 0; key < KEY_CNT; key++) {
                        if (keyset_has(&before, key) == value || keyset_has(actual, key) != value)
                                continue;
                        events[n++] = (struct input_event) { .type = EV_KEY, .code = (uint16_t) key, .value = value };
                        if (n < FRAME_EVENTS_MAX - 1)
                                continue;
                        events[n++] = (struct input_event) { .type = EV_SYN, .code = SYN_REPORT };
                        router_frame(r, s, events, n, usec);
                        n = 0;
                }
        if (n == 0)
                return;
        events[n++] = (struct input_event) { .type = EV_SYN, .code = SYN_REPORT };
        router_frame(r, s, events, n, usec);
}

int router_add_target(struct router *r, struct target *t)
{
        if (router_find_target(r, t->name))
                return -EEXIST;
        if (r->n_targets == ROUTER_TARGETS_MAX)
                return -ENOSPC;
        r->targets[r->n_targets++] = t;
        return 0;
}

void router_remove_target(struct router *r, struct target *t, const char *reason)
{
        unsigned i = 1;

        if (r->active == t)
                activate(r, r->targets[0], reason);
        if (r->last_guest == t)
                r->last_guest = NULL;
        while (i < r->n_targets && r->targets[i] != t)
                i++;
        if (i == r->n_targets)
                return;
        r->n_targets--;
        memmove(&r->targets[i], &r->targets[i + 1], (r->n_targets - i) * sizeof(r->targets[0]));
}

struct target *router_find_target(struct router *r, const char *name)
{
        for (unsigned i = 0; i < r->n_targets; i++)
                if (streq(r->targets[i]->name, name))
                        return r->targets[i];
        return NULL;
}

void router_set_ready(struct router *r, struct target *t, bool ready, const char *reason)
{
        t->ready = ready;
        (void) snprintf(t->reason, sizeof(t->reason), "%s", reason);
        if (!ready && r->active == t)
                activate(r, r->targets[0], t->reason);
}

int router_switch(struct router *r, struct target *t, const char *reason)
{
        if (r->paused)
                return -EAGAIN;
        if (t == r->active)
                return 0;
        if (!t->ready) {
                notice_refused(r, t->name, t->reason);
                return -EHOSTDOWN;
        }
        activate(r, t, reason);
        return 0;
}

int router_toggle(struct router *r, const char *reason)
{
        struct target *to = r->last_guest;

        if (r->active != r->targets[0])
                return router_switch(r, r->targets[0], reason);

        for (unsigned i = 1; i < r->n_targets && !(to && to->ready); i++)
                if (r->targets[i]->ready)
                        to = r->targets[i];
        if (!to && r->n_targets > 1)
                to = r->targets[1];
        if (!to) {
                if (r->paused)
                        return -EAGAIN;
                notice_refused(r, "", "there is no guest");
                return -ENOENT;
        }
        return router_switch(r, to, reason);
}

int router_switch_next(struct router *r, const char *reason)
{
        unsigned at = 0;

        while (r->targets[at] != r->active)
                at++;
        for (unsigned i = 1; i < r->n_targets; i++) {
                struct target *t = r->targets[(at + i) % r->n_targets];

                if (t->ready)
                        return router_switch(r, t, reason);
        }
        return router_toggle(r, reason);
}

void router_pause(struct router *r, const char *reason)
{
        if (r->paused)
                return;
        if (r->active != r->targets[0])
                activate(r, r->targets[0], reason);
        else
                release_all(r);
        r->identify = false;
        r->paused = true;
}

void router_resume(struct router *r)
{
        r->paused = false;
}

void router_identify(struct router *r)
{
        r->identify = true;
}
