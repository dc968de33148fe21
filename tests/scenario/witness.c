/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/scenario/witness.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/hotkey.h"
#include "common/mem.h"

static void complain(struct witness *w, const char *format, ...) _printf_(2, 3);

static void complain(struct witness *w, const char *format, ...)
{
        va_list ap;

        if (w->complaint[0])
                return;
        va_start(ap, format);
        (void) vsnprintf(w->complaint, sizeof(w->complaint), format, ap);
        va_end(ap);
}

static const char *key_name(unsigned key)
{
        static char name[HOTKEY_NAME_SIZE];

        (void) hotkey_key_name((uint16_t) key, name, sizeof(name));
        return name;
}

static bool keyset_equal(const struct keyset *a, const struct keyset *b)
{
        return memcmp(a, b, sizeof(*a)) == 0;
}

static struct witness_target *target_of(struct target *t)
{
        return (struct witness_target *) t; /* its first member */
}

static struct witness_source *source_of(struct source *s)
{
        return (struct witness_source *) s; /* its first member */
}

static unsigned index_of(const struct witness *w, const struct witness_source *s)
{
        return (unsigned) (s - w->sources);
}

static void check_guard(struct witness_target *t)
{
        const uint16_t *guard = t->target.guard;

        if (guard[0] && keyset_has(&t->down[0], guard[0]) && keyset_has(&t->down[0], guard[1]))
                complain(t->witness, "%s: both keys of the guard pair are down", t->target.name);
}

static void check_key(struct witness_target *t, struct keyset *down, const struct input_event *ev)
{
        struct witness *w = t->witness;

        if (ev->code >= KEY_CNT) {
                complain(w, "%s: key %u", t->target.name, ev->code);
        } else if (ev->value == 1) {
                if (keyset_has(down, ev->code))
                        complain(w, "%s: +%s while it is down", t->target.name, key_name(ev->code));
                if (!w->in_frame)
                        complain(w, "%s: +%s from nowhere", t->target.name, key_name(ev->code));
                keyset_add(down, ev->code);
                check_guard(t);
        } else if (ev->value == 0) {
                if (!keyset_has(down, ev->code))
                        complain(w, "%s: -%s while it is up", t->target.name, key_name(ev->code));
                keyset_remove(down, ev->code);
        } else {
                complain(w, "%s: %s has value %d", t->target.name, key_name(ev->code), ev->value);
        }
}

static void check_event(struct witness_target *t, struct keyset *down, const struct input_event *ev, bool last)
{
        bool report = ev->type == EV_SYN && ev->code == SYN_REPORT;

        if (report != last)
                complain(t->witness, "%s: a frame that is not closed by its one SYN_REPORT", t->target.name);
        if (ev->type == EV_KEY)
                check_key(t, down, ev);
        else if (ev->type != EV_REL && ev->type != EV_ABS && ev->type != EV_MSC && ev->type != EV_SYN)
                complain(t->witness, "%s: event of type %u", t->target.name, ev->type);
}

static void on_frame(struct target *target, struct source *source, struct input_event *events, unsigned n)
{
        struct witness_target *t = target_of(target);
        struct witness_source *s = source ? source_of(source) : NULL;
        struct witness *w = t->witness;
        struct keyset *down = &t->down[0];

        if (w->router.active != target || !t->entered)
                complain(w, "%s: a frame while it is not active", target->name);
        if (n < 2 || n > FRAME_EVENTS_MAX)
                complain(w, "%s: a frame of %u events", target->name, n);
        if (!target->merged) {
                if (!s || !s->plugged) {
                        complain(w, "%s: a frame of no source", target->name);
                        return;
                }
                down = &t->down[index_of(w, s)];
        }
        for (unsigned i = 0; i < n; i++)
                check_event(t, down, &events[i], i == n - 1);
        model_events_add(&w->delivered, events, n);
        if (w->on_frame)
                w->on_frame(w, t, s, events, n);
        memset(events, 0xff, n * sizeof(*events)); /* it is the target's */
}

static void check_nothing_down(struct witness_target *t, const char *when)
{
        for (unsigned i = 0; i < WITNESS_SOURCES_MAX; i++)
                KEYSET_FOREACH (key, &t->down[i])
                        complain(t->witness, "%s: %s is down %s", t->target.name, key_name(key), when);
}

static void on_enter(struct target *target)
{
        struct witness_target *t = target_of(target);

        if (t->entered || t->witness->router.active != target)
                complain(t->witness, "%s: entered, but not as the active one", target->name);
        check_nothing_down(t, "as it is entered");
        t->entered = true;
}

static void on_leave(struct target *target)
{
        struct witness_target *t = target_of(target);

        if (!t->entered)
                complain(t->witness, "%s: left twice", target->name);
        check_nothing_down(t, "as it is left");
        t->entered = false;
        model_disown(&t->witness->model);
}

static const struct target_ops witness_ops = { .frame = on_frame, .enter = on_enter, .leave = on_leave };

void witness_init(struct witness *w)
{
        *w = (struct witness) { .usec = 1000000 };
        w->host = (struct witness_target) {
                .target = { .ops = &witness_ops, .name = TARGET_HOST, .ready = true },
                .witness = w,
                .known = true,
                .entered = true,
        };
        router_init(&w->router, &w->host.target);
}

void witness_plug(struct witness *w, struct witness_source *s, const struct keyset *down)
{
        s->plugged = true;
        w->model.down[index_of(w, s)] = *down;
        s->reader = (struct frame_reader) { 0 };
        router_add_source(&w->router, &s->source, down);
}

void witness_unplug(struct witness *w, struct witness_source *s)
{
        router_remove_source(&w->router, &s->source);
        s->plugged = false;
        w->model.down[index_of(w, s)] = (struct keyset) { 0 };
        w->model.held[index_of(w, s)] = (struct keyset) { 0 };
        if (!keyset_is_empty(&w->host.down[index_of(w, s)]))
                complain(w, "%s was unplugged, but its mirror has a key down", s->name);
}

static bool same_event(const struct input_event *a, const struct input_event *b)
{
        return a->type == b->type && a->code == b->code && a->value == b->value;
}

static void compare(struct witness *w, const struct witness_source *s, const struct model_verdict *v)
{
        const struct model_events *must = &v->events, *did = &w->delivered;

        for (unsigned i = 0; i < must->n; i++)
                if (i >= did->n || !same_event(&must->items[i], &did->items[i]))
                        complain(w, "%s: event %u of what its frame should become is another", s->name, i);
        for (unsigned i = must->n; i < did->n; i++)
                if (!v->switches || did->items[i].type != EV_KEY || did->items[i].value != 0)
                        complain(w, "%s: its frame became more than it should", s->name);
}

/* One call of the router, with the model beside it. */
struct call {
        struct witness_source *source;
        const struct target *before;
        bool paused;
        struct model_verdict verdict;
};

static void call_begin(struct witness *w, struct call *c, struct witness_source *s, const struct input_event *events,
                       unsigned n)
{
        c->source = s;
        c->before = w->router.active;
        c->paused = w->router.paused;
        model_frame(&w->model, &w->router, index_of(w, s), events, n, w->usec, &c->verdict);
        w->in_frame = true;
        w->delivered.n = 0;
}

static void call_end(struct witness *w, const struct call *c)
{
        w->in_frame = false;
        compare(w, c->source, &c->verdict);
        if (!c->verdict.switches && w->router.active != c->before)
                complain(w, "%s: switched without a chord", c->source->name);
        if (w->router.paused != (c->paused || c->verdict.panics))
                complain(w, "%s: paused without panic, or not paused with it", c->source->name);
        if (w->router.paused)
                model_disown(&w->model);
}

static void frame(struct witness *w, struct witness_source *s, struct input_event *events, unsigned n)
{
        static struct call c;

        call_begin(w, &c, s, events, n);
        router_frame(&w->router, &s->source, events, n, w->usec);
        call_end(w, &c);
}

/* The model gets what the header promises: one frame, releases first. */
static void resync(struct witness *w, struct witness_source *s, const struct keyset *actual)
{
        static struct call c;
        const struct keyset *down = &w->model.down[index_of(w, s)];
        struct input_event events[KEY_CNT];
        unsigned n = 0;

        for (int value = 0; value <= 1; value++)
                for (unsigned key = 0; key < KEY_CNT; key++)
                        if (keyset_has(down, key) != value && keyset_has(actual, key) == value)
                                events[n++] = (struct input_event) { .type = EV_KEY, .code = (uint16_t) key, .value = value };
        call_begin(w, &c, s, events, n);
        router_resync(&w->router, &s->source, actual, w->usec);
        call_end(w, &c);
}

static void drain(struct witness *w, struct witness_source *s, const struct keyset *actual)
{
        struct input_event *events;
        unsigned n;

        for (;;) {
                switch (frame_reader_next(&s->reader, &events, &n)) {
                case FRAME_NONE:
                        return;
                case FRAME_READY:
                        frame(w, s, events, n);
                        break;
                case FRAME_RESYNC:
                        resync(w, s, actual);
                        break;
                }
        }
}

void witness_read(struct witness *w, struct witness_source *s, const struct input_event *events, unsigned n,
                  const struct keyset *actual)
{
        while (n > 0) {
                unsigned room;
                struct input_event *space = frame_reader_space(&s->reader, &room);

                room = MIN(room, n);
                memcpy(space, events, room * sizeof(*events));
                frame_reader_filled(&s->reader, room);
                drain(w, s, actual);
                events += room;
                n -= room;
        }
}

int witness_add_guest(struct witness *w, struct witness_target *t, const char *name)
{
        int r;

        *t = (struct witness_target) { .target = { .ops = &witness_ops, .merged = true }, .witness = w };
        (void) snprintf(t->target.name, sizeof(t->target.name), "%s", name);
        (void) snprintf(t->target.reason, sizeof(t->target.reason), "never seen");
        r = router_add_target(&w->router, &t->target);
        t->known = r == 0;
        return r;
}

void witness_remove_guest(struct witness *w, struct witness_target *t, const char *reason)
{
        router_remove_target(&w->router, &t->target, reason);
        check_nothing_down(t, "as it is removed");
        t->known = false;
}

void witness_pause(struct witness *w, const char *reason)
{
        router_pause(&w->router, reason);
        model_disown(&w->model);
}

static void check_source(struct witness *w, struct witness_source *s, struct keyset *held)
{
        for (unsigned i = 0; i < KEYSET_WORDS; i++) {
                if (s->source.held.words[i] & ~s->source.down.words[i])
                        complain(w, "%s: a key is held, but not down", s->name);
                held->words[i] |= s->source.held.words[i];
        }
        if (!keyset_equal(&s->source.down, &w->model.down[index_of(w, s)]))
                complain(w, "%s: what is down is not what was pressed", s->name);
        if (!keyset_equal(&s->source.held, &w->model.held[index_of(w, s)]))
                complain(w, "%s: what is held is not what was delivered", s->name);
}

static void check_target(struct witness *w, struct witness_target *t, const struct keyset *held)
{
        bool active = w->router.active == &t->target;

        if (t->entered != active)
                complain(w, "%s: active, but not entered, or the other way round", t->target.name);
        if (active && !t->target.ready)
                complain(w, "%s: active, but not ready", t->target.name);
        if (!active)
                check_nothing_down(t, "though it is not active");
        else if (t->target.merged && !keyset_equal(&t->down[0], held))
                complain(w, "%s: what is down there is not what is held", t->target.name);
        else if (!t->target.merged)
                for (unsigned i = 0; i < WITNESS_SOURCES_MAX; i++)
                        if (!keyset_equal(&t->down[i], &w->sources[i].source.held))
                                complain(w, "%s/%s: what is down there is not what is held", t->target.name,
                                         w->sources[i].name);
}

bool witness_check(struct witness *w)
{
        struct keyset held = { 0 };

        for (unsigned i = 0; i < WITNESS_SOURCES_MAX; i++)
                check_source(w, &w->sources[i], &held);
        check_target(w, &w->host, &held);
        for (unsigned i = 0; i < WITNESS_GUESTS_MAX; i++)
                if (w->guests[i].known)
                        check_target(w, &w->guests[i], &held);
        if (w->router.paused && (w->router.active != &w->host.target || !keyset_is_empty(&held)))
                complain(w, "paused, but not at rest");
        return w->complaint[0] == '\0';
}

static void let_go(struct witness *w, struct witness_source *s)
{
        const struct input_event syn = { .type = EV_SYN, .code = SYN_REPORT };
        struct keyset down;

        witness_read(w, s, &syn, 1, &w->model.down[index_of(w, s)]); /* ends a frame cut short */
        down = w->model.down[index_of(w, s)];
        KEYSET_FOREACH (key, &down) {
                const struct input_event up[] = { { .type = EV_KEY, .code = (uint16_t) key }, syn };

                witness_read(w, s, up, ARRAY_SIZE(up), &w->model.down[index_of(w, s)]);
        }
}

bool witness_finish(struct witness *w)
{
        for (unsigned i = 0; i < WITNESS_SOURCES_MAX; i++)
                if (w->sources[i].plugged)
                        let_go(w, &w->sources[i]);
        (void) witness_check(w);
        check_nothing_down(&w->host, "in the end");
        for (unsigned i = 0; i < WITNESS_GUESTS_MAX; i++)
                if (w->guests[i].known)
                        check_nothing_down(&w->guests[i], "in the end");
        return w->complaint[0] == '\0';
}
