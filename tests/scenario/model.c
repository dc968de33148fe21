/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/scenario/model.h"

#include "common/mem.h"

static bool anywhere(const struct keyset sets[MODEL_SOURCES_MAX], unsigned key)
{
        for (unsigned i = 0; i < MODEL_SOURCES_MAX; i++)
                if (keyset_has(&sets[i], key))
                        return true;
        return false;
}

static bool completes(const struct model *m, const struct hotkey *h, unsigned key, uint64_t usec, uint64_t limit)
{
        bool member = false;

        if (h->double_tap)
                return key == h->keys[0] && m->tapped == key && !m->tap_spent && usec - m->tap_usec <= limit;
        for (unsigned i = 0; i < h->n_keys; i++) {
                member |= h->keys[i] == key;
                if (h->keys[i] != key && !anywhere(m->down, h->keys[i]))
                        return false;
        }
        return member;
}

/* True if the press completes any chord at all. */
static bool recognise(struct model *m, const struct router *r, unsigned key, uint64_t usec, struct model_verdict *v)
{
        static const struct hotkey panic = { .n_keys = 3, .keys = { KEY_ENTER, KEY_BACKSPACE, KEY_ESC } };
        const struct hotkey *hotkeys[ROUTER_TARGETS_MAX + 3] = { &panic, &r->toggle.hotkey, &r->next.hotkey };
        unsigned n = 3;
        bool any = false, spent = false;

        for (unsigned i = 0; i < r->n_targets; i++)
                hotkeys[n++] = &r->targets[i]->chord.hotkey;
        for (unsigned i = 0; i < n; i++) {
                bool hit = completes(m, hotkeys[i], key, usec, r->double_tap_usec);

                any |= hit;
                spent |= hit && hotkeys[i]->double_tap;
                v->panics |= hit && i == 0;
        }
        v->switches |= any;
        m->tapped = key;
        m->tap_usec = usec;
        m->tap_spent = spent;
        return any;
}

static bool guarded(const struct model *m, const struct target *t, unsigned key)
{
        return t->guard[0] && ((key == t->guard[0] && anywhere(m->held, t->guard[1]))
                               || (key == t->guard[1] && anywhere(m->held, t->guard[0])));
}

static bool press(struct model *m, const struct router *r, unsigned source, unsigned key, uint64_t usec,
                  struct model_verdict *v)
{
        bool elsewhere = anywhere(m->held, key), chord;

        if (keyset_has(&m->down[source], key))
                return false;
        chord = !r->paused && recognise(m, r, key, usec, v);
        keyset_add(&m->down[source], key);
        if (r->paused || chord)
                return false;
        if (r->active->merged && guarded(m, r->active, key))
                return false;
        keyset_add(&m->held[source], key);
        return !(r->active->merged && elsewhere);
}

static bool release(struct model *m, const struct router *r, unsigned source, unsigned key)
{
        bool held = keyset_has(&m->held[source], key);

        keyset_remove(&m->down[source], key);
        keyset_remove(&m->held[source], key);
        return held && !(r->active->merged && anywhere(m->held, key));
}

void model_frame(struct model *m, const struct router *r, unsigned source, const struct input_event *events, unsigned n,
                 uint64_t usec, struct model_verdict *ret)
{
        ret->switches = ret->panics = false;
        ret->events.n = 0;
        for (unsigned i = 0; i < n; i++) {
                const struct input_event *ev = &events[i];
                bool delivered = !r->paused;

                if (ev->type == EV_KEY)
                        delivered = ev->code < KEY_CNT
                                    && (ev->value == 1   ? press(m, r, source, ev->code, usec, ret)
                                        : ev->value == 0 ? release(m, r, source, ev->code)
                                                         : false);
                if (delivered)
                        model_events_add(&ret->events, ev, 1);
        }
}

void model_disown(struct model *m)
{
        memset(m->held, 0, sizeof(m->held));
}

void model_events_add(struct model_events *e, const struct input_event *events, unsigned n)
{
        for (unsigned i = 0; i < n && e->n < MODEL_EVENTS_MAX; i++)
                if (events[i].type == EV_KEY || events[i].type == EV_REL || events[i].type == EV_ABS)
                        e->items[e->n++] = events[i];
}
