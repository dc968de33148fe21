/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Whatever bytes a device may send, in reads cut anywhere: through the frame
 * reader and the router, with guests, and the witness looking on.
 *
 * The input is a row of orders, one byte each:
 *
 *   0x00-0xbf  a read from source (order & 3) of (order >> 2 & 15) + 1 events,
 *              which follow as type, code, value (8 bytes, as in input_event);
 *              then, should it be asked for, a count of at most 7 keys (1 byte)
 *              that changed unseen, and these (2 bytes each)
 *   0xc0-0xff  something else; see control() */

#include <stdint.h>
#include <stdio.h>

#include "common/mem.h"
#include "tests/scenario/witness.h"

#define SOURCES 4
#define GUESTS 3
#define READ_EVENTS_MAX 16

struct input {
        const uint8_t *data;
        size_t left;
};

/* What is missing is zero. */
static void take(struct input *in, void *ret, size_t size)
{
        size_t n = MIN(size, in->left);

        memset(ret, 0, size);
        if (n > 0)
                memcpy(ret, in->data, n);
        in->data += n;
        in->left -= n;
}

static uint8_t take_byte(struct input *in)
{
        uint8_t byte;

        take(in, &byte, sizeof(byte));
        return byte;
}

static struct input_event take_event(struct input *in)
{
        struct input_event ev = { 0 };
        struct {
                uint16_t type, code;
                int32_t value;
        } raw;

        take(in, &raw, sizeof(raw));
        ev.type = raw.type;
        ev.code = raw.code;
        ev.value = raw.value;
        return ev;
}

static void read_source(struct witness *w, struct input *in, unsigned order)
{
        unsigned i = order & 3, n = (order >> 2 & 15) + 1;
        struct input_event events[READ_EVENTS_MAX];
        struct keyset actual = w->model.down[i];

        for (unsigned e = 0; e < n; e++)
                events[e] = take_event(in);
        for (unsigned changed = take_byte(in) & 7; changed > 0; changed--) {
                uint16_t key;

                take(in, &key, sizeof(key));
                key %= KEY_CNT;
                if (keyset_has(&actual, key))
                        keyset_remove(&actual, key);
                else
                        keyset_add(&actual, key);
        }
        if (w->sources[i].plugged)
                witness_read(w, &w->sources[i], events, n, &actual);
}

static void add_guest(struct witness *w, unsigned i)
{
        static const char *const names[GUESTS] = { "win", "lin", "bsd" };
        struct witness_target *t = &w->guests[i];

        w->usec += 1000000; /* its chord has not seen the last tap, the model has */
        (void) witness_add_guest(w, t, names[i]);
        t->target.guard[0] = i ? KEY_LEFTCTRL : KEY_LEFTMETA;
        t->target.guard[1] = i ? KEY_RIGHTCTRL : KEY_RIGHTMETA;
        if (i == 1)
                t->target.chord.hotkey = (struct hotkey) { 3, { KEY_LEFTMETA, KEY_LEFTALT, KEY_F1 }, false };
        if (i == 2)
                t->target.chord.hotkey = (struct hotkey) { 1, { KEY_RIGHTMETA }, true };
        router_set_ready(&w->router, &t->target, true, "running");
}

static void control_source(struct witness *w, struct witness_source *s)
{
        const struct keyset down = { .words = { UINT64_C(1) << KEY_A } };

        if (s->plugged)
                witness_unplug(w, s);
        else
                witness_plug(w, s, &down);
}

static void control_guest(struct witness *w, unsigned what, unsigned i)
{
        struct witness_target *t = &w->guests[i];

        if (!t->known)
                add_guest(w, i);
        else if (what == 0)
                witness_remove_guest(w, t, "removed");
        else if (what == 1)
                router_set_ready(&w->router, &t->target, !t->target.ready, "changed");
        else
                (void) router_switch(&w->router, &t->target, "request");
}

static void control(struct witness *w, unsigned what)
{
        switch (what) {
        case 0:
                (void) router_toggle(&w->router, "request");
                break;
        case 1:
                (void) router_switch_next(&w->router, "request");
                break;
        case 2:
                witness_pause(w, "request");
                break;
        case 3:
                router_resume(&w->router);
                break;
        case 4:
                router_identify(&w->router);
                break;
        case 5:
                w->usec += 1000000;
                break;
        default:
                if (what < 16)
                        control_source(w, &w->sources[what % SOURCES]);
                else
                        control_guest(w, what / 16 - 1, what % GUESTS);
        }
}

static void set_up(struct witness *w)
{
        const struct keyset none = { 0 };

        witness_init(w);
        w->router.double_tap_usec = 300000;
        w->router.toggle.hotkey = (struct hotkey) { 2, { KEY_LEFTCTRL, KEY_RIGHTCTRL }, false };
        w->router.next.hotkey = (struct hotkey) { 1, { KEY_SCROLLLOCK }, true };
        for (unsigned i = 0; i < SOURCES; i++) {
                w->sources[i].name[0] = (char) ('0' + i);
                witness_plug(w, &w->sources[i], &none);
        }
        for (unsigned i = 0; i < GUESTS; i++)
                add_guest(w, i);
}

static void insist(struct witness *w, bool good)
{
        if (good)
                return;
        (void) fprintf(stderr, "%s\n", w->complaint);
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static struct witness w;
        struct input in = { data, size };

        set_up(&w);
        while (in.left > 0) {
                unsigned order = take_byte(&in);

                if (order < 0xc0)
                        read_source(&w, &in, order);
                else
                        control(&w, order - 0xc0);
                w.router.n_notices = order & 1 ? 0 : w.router.n_notices; /* sometimes nobody listens */
                insist(&w, witness_check(&w));
        }
        insist(&w, witness_finish(&w));
        return 0;
}
