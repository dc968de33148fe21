/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/core/frame.h"

#include <string.h>

#include "common/mem.h"

struct input_event *frame_reader_space(struct frame_reader *r, unsigned *ret_n)
{
        if (r->start == r->end) {
                r->start = r->end = 0;
        } else if (r->end == ARRAY_SIZE(r->events)) {
                if (r->start == 0) {
                        /* A frame longer than any keyboard's or mouse's: treat it as lost. */
                        r->dropping = true;
                        r->end = 0;
                } else {
                        memmove(r->events, r->events + r->start, (r->end - r->start) * sizeof(r->events[0]));
                        r->end -= r->start;
                        r->start = 0;
                }
        }
        *ret_n = (unsigned) ARRAY_SIZE(r->events) - r->end;
        return r->events + r->end;
}

void frame_reader_filled(struct frame_reader *r, unsigned n)
{
        r->end += n;
}

enum frame_result frame_reader_next(struct frame_reader *r, struct input_event **ret_events, unsigned *ret_n)
{
        for (unsigned i = r->start; i < r->end; i++) {
                const struct input_event *ev = &r->events[i];
                unsigned first = r->start;

                if (ev->type != EV_SYN)
                        continue;
                if (ev->code == SYN_DROPPED) {
                        r->dropping = true;
                        continue;
                }
                if (ev->code != SYN_REPORT)
                        continue;

                r->start = i + 1;
                if (r->dropping) {
                        r->dropping = false;
                        return FRAME_RESYNC;
                }
                if (i + 1 - first > FRAME_EVENTS_MAX)
                        return FRAME_RESYNC;
                *ret_events = r->events + first;
                *ret_n = i + 1 - first;
                return FRAME_READY;
        }
        if (r->dropping)
                r->start = r->end; /* rubbish needs no room */
        return FRAME_NONE;
}
