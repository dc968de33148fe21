/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/bench/sink.h"

#include <time.h>

#include "common/mem.h"

#define X_RANGE 1024
#define KEYS 26

uint64_t now_ns(void)
{
        struct timespec t;

        (void) clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t) t.tv_sec * 1000000000 + (uint64_t) t.tv_nsec;
}

/* The kernel drops a motion of zero and a key that changes nothing, so there is neither. */
void traffic_frame(enum traffic t, unsigned seq, struct input_event ret[TRAFFIC_EVENTS])
{
        const uint16_t key = (uint16_t) (KEY_Q + seq / 2 % KEYS);

        memset(ret, 0, TRAFFIC_EVENTS * sizeof(ret[0]));
        if (t == TRAFFIC_MOTION) {
                ret[0] = (struct input_event) { .type = EV_REL, .code = REL_X, .value = (int) (seq % X_RANGE) + 1 };
                ret[1] = (struct input_event) { .type = EV_REL, .code = REL_Y, .value = (int) (seq / X_RANGE) + 1 };
        } else {
                ret[0] = (struct input_event) { .type = EV_MSC, .code = MSC_SCAN, .value = key };
                ret[1] = (struct input_event) { .type = EV_KEY, .code = key, .value = seq % 2 == 0 };
        }
        ret[2] = (struct input_event) { .type = EV_SYN, .code = SYN_REPORT };
}

static bool same_event(const struct input_event *a, const struct input_event *b)
{
        return a->type == b->type && a->code == b->code && a->value == b->value;
}

/* The number of the frame, or -1. A guest's node leaves the scan code out. */
static int frame_number(const struct sink *s)
{
        struct input_event expected[TRAFFIC_EVENTS];
        unsigned first = 0, seq;

        if (s->traffic == TRAFFIC_MOTION) {
                if (s->n_frame != 2 || s->frame[0].value < 1 || s->frame[1].value < 1)
                        return -1;
                seq = (unsigned) (s->frame[0].value - 1) + (unsigned) (s->frame[1].value - 1) * X_RANGE;
        } else {
                if (s->n_frame < 1 || s->n_frame > 2)
                        return -1;
                first = 2 - s->n_frame;
                seq = s->next;
        }
        if (seq >= s->n_frames)
                return -1;
        traffic_frame(s->traffic, seq, expected);
        for (unsigned i = 0; i < s->n_frame; i++)
                if (!same_event(&s->frame[i], &expected[first + i]))
                        return -1;
        return (int) seq;
}

static void end_frame(struct sink *s, uint64_t ns)
{
        int seq = frame_number(s);

        s->n_frame = 0;
        if (seq < 0) {
                s->split++;
                return;
        }
        if ((unsigned) seq < s->next) {
                s->disorder++;
                return;
        }
        s->got_ns[seq] = ns;
        s->next = (unsigned) seq + 1;
        s->received++;
}

int sink_read(struct sink *s)
{
        struct input_event events[64];
        ssize_t size = read(s->fd, events, sizeof(events));
        uint64_t ns = now_ns();

        if (size < 0)
                return -errno;
        for (size_t i = 0; i < (size_t) size / sizeof(events[0]); i++) {
                if (events[i].type == EV_SYN && events[i].code == SYN_DROPPED)
                        s->dropped++;
                else if (events[i].type == EV_SYN)
                        end_frame(s, ns);
                else if (s->n_frame < ARRAY_SIZE(s->frame))
                        s->frame[s->n_frame++] = events[i];
        }
        return 0;
}
