/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/core/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "common/mem.h"

/* What came out: the values of a frame's events run on from the one before, so
 * that a frame is known by its first value and its length. */
#define RESULTS_MAX 2048

struct result {
        enum frame_result kind; /* FRAME_NONE: no more */
        int first;
        unsigned n;
};

struct results {
        struct result items[RESULTS_MAX];
        unsigned n;
};

static const struct input_event syn = { .type = EV_SYN, .code = SYN_REPORT };
static const struct input_event dropped = { .type = EV_SYN, .code = SYN_DROPPED };

static struct input_event motion(int value)
{
        return (struct input_event) { .type = EV_REL, .code = REL_X, .value = value };
}

static void drain(struct frame_reader *r, struct results *res)
{
        struct input_event *events;
        struct result one = { 0 };

        while ((one.kind = frame_reader_next(r, &events, &one.n)) != FRAME_NONE) {
                if (one.kind == FRAME_READY) {
                        assert_in_range(one.n, 1, FRAME_EVENTS_MAX);
                        one.first = events[0].type == EV_REL ? events[0].value : 0;
                        for (unsigned i = 0; i < one.n; i++) {
                                bool last = i == one.n - 1;

                                assert_int_equal(events[i].type, last ? EV_SYN : EV_REL);
                                assert_int_equal(events[i].value, last ? 0 : one.first + (int) i);
                        }
                } else {
                        one.first = 0;
                        one.n = 0;
                }
                assert_true(res->n < RESULTS_MAX);
                res->items[res->n++] = one;
        }
        /* Nothing more comes of asking again. */
        assert_int_equal(frame_reader_next(r, &events, &one.n), FRAME_NONE);
}

/* In reads of at most `piece` events; after each of them all frames are taken out. */
static void feed(struct frame_reader *r, struct results *res, const struct input_event *events, unsigned n,
                 unsigned piece)
{
        while (n > 0) {
                unsigned room;
                struct input_event *space = frame_reader_space(r, &room);

                assert_in_range(room, 1, ARRAY_SIZE(r->events));
                assert_true(space >= r->events && space + room <= r->events + ARRAY_SIZE(r->events));
                room = MIN(MIN(room, piece), n);
                memcpy(space, events, room * sizeof(*events));
                frame_reader_filled(r, room);
                drain(r, res);
                events += room;
                n -= room;
        }
}

static void assert_results(const struct results *got, const struct results *expected)
{
        assert_int_equal(got->n, expected->n);
        for (unsigned i = 0; i < got->n; i++) {
                assert_int_equal(got->items[i].kind, expected->items[i].kind);
                assert_int_equal(got->items[i].first, expected->items[i].first);
                assert_int_equal(got->items[i].n, expected->items[i].n);
        }
}

static void expect(struct results *e, enum frame_result kind, int first, unsigned n)
{
        e->items[e->n++] = (struct result) { kind, first, n };
}

/* A frame of n events, its SYN_REPORT counted; returns how many were written. */
static unsigned put_frame(struct input_event *to, int first, unsigned n)
{
        for (unsigned i = 0; i < n - 1; i++)
                to[i] = motion(first + (int) i);
        to[n - 1] = syn;
        return n;
}

static void test_nothing(void **state)
{
        struct frame_reader r = { 0 };
        struct results got = { 0 };

        drain(&r, &got);
        assert_int_equal(got.n, 0);
}

static void test_whole_buffer_is_free_at_first(void **state)
{
        struct frame_reader r = { 0 };
        unsigned room;

        assert_ptr_equal(frame_reader_space(&r, &room), r.events);
        assert_int_equal(room, FRAME_EVENTS_MAX * 2);
}

/* Frames of every small length, cut at every position. */
static void test_split_at_every_position(void **state)
{
        struct input_event events[64];
        struct results expected = { 0 };
        unsigned n = 0;

        for (unsigned length = 1; length <= 8; length++) {
                n += put_frame(events + n, (int) length * 100, length);
                expect(&expected, FRAME_READY, length > 1 ? (int) length * 100 : 0, length);
        }
        for (unsigned cut = 0; cut <= n; cut++) {
                struct frame_reader r = { 0 };
                struct results got = { 0 };

                feed(&r, &got, events, cut, n);
                feed(&r, &got, events + cut, n - cut, n);
                assert_results(&got, &expected);
        }
}

/* Reads of every size, through many turns of the buffer. */
static void test_wrap(void **state)
{
        static struct input_event events[6000];
        static struct results expected;
        unsigned n = 0;

        expected.n = 0;
        for (unsigned i = 0; n + 16 < ARRAY_SIZE(events); i++) {
                unsigned length = 2 + i * 7 % 13;

                n += put_frame(events + n, (int) i * 100, length);
                expect(&expected, FRAME_READY, (int) i * 100, length);
        }
        for (unsigned piece = 1; piece <= FRAME_EVENTS_MAX * 2; piece++) {
                static struct results got;
                struct frame_reader r = { 0 };

                got.n = 0;
                feed(&r, &got, events, n, piece);
                assert_results(&got, &expected);
        }
}

/* SYN_DROPPED in every place of the middle one of three frames, cut everywhere. */
static void test_dropped_in_all_places(void **state)
{
        for (unsigned place = 0; place <= 4; place++) {
                struct input_event events[32];
                struct results expected = { 0 };
                unsigned n = put_frame(events, 100, 3);

                for (unsigned i = 0; i <= 4; i++)
                        events[n++] = i == place ? dropped : motion(200 + (int) i);
                events[n++] = syn;
                n += put_frame(events + n, 300, 4);
                expect(&expected, FRAME_READY, 100, 3);
                expect(&expected, FRAME_RESYNC, 0, 0);
                expect(&expected, FRAME_READY, 300, 4);

                for (unsigned cut = 0; cut <= n; cut++) {
                        struct frame_reader r = { 0 };
                        struct results got = { 0 };

                        feed(&r, &got, events, cut, n);
                        feed(&r, &got, events + cut, n - cut, n);
                        assert_results(&got, &expected);
                }
        }
}

static void test_dropped_alone(void **state)
{
        const struct input_event events[] = { dropped, syn };
        struct frame_reader r = { 0 };
        struct results got = { 0 }, expected = { 0 };

        expect(&expected, FRAME_RESYNC, 0, 0);
        feed(&r, &got, events, ARRAY_SIZE(events), 1);
        assert_results(&got, &expected);
}

static void test_dropped_twice(void **state)
{
        const struct input_event events[] = { dropped, motion(1), dropped, motion(2), syn, dropped, syn, motion(3), syn };
        struct frame_reader r = { 0 };
        struct results got = { 0 }, expected = { 0 };

        expect(&expected, FRAME_RESYNC, 0, 0);
        expect(&expected, FRAME_RESYNC, 0, 0);
        expect(&expected, FRAME_READY, 3, 2);
        feed(&r, &got, events, ARRAY_SIZE(events), ARRAY_SIZE(events));
        assert_results(&got, &expected);
}

/* However long the rubbish is, it takes no room and is one loss. */
static void test_dropped_long(void **state)
{
        struct frame_reader r = { 0 };
        struct results got = { 0 }, expected = { 0 };
        struct input_event ev = motion(1);

        feed(&r, &got, &dropped, 1, 1);
        for (unsigned i = 0; i < 3000; i++)
                feed(&r, &got, &ev, 1, 1);
        assert_int_equal(got.n, 0);
        feed(&r, &got, &syn, 1, 1);
        feed(&r, &got, &ev, 1, 1);
        feed(&r, &got, &syn, 1, 1);
        expect(&expected, FRAME_RESYNC, 0, 0);
        expect(&expected, FRAME_READY, 1, 2);
        assert_results(&got, &expected);
}

/* Frames around the longest, behind offsets that make the buffer turn, in reads
 * of several sizes: each comes whole or counts as lost, and the next one is good. */
static void test_oversize(void **state)
{
        static const unsigned pieces[] = { 1, 2, 3, 7, 64, 127, 128, 129, 255, 256 };
        static const unsigned lengths[] = { 126, 127, 128, 129, 130, 200, 255, 256, 257, 258, 300, 511, 512, 513, 700 };

        for (size_t l = 0; l < ARRAY_SIZE(lengths); l++)
                for (unsigned before = 0; before < 130; before += 13)
                        for (size_t p = 0; p < ARRAY_SIZE(pieces); p++) {
                                struct input_event events[1000];
                                struct frame_reader r = { 0 };
                                struct results got = { 0 }, expected = { 0 };
                                unsigned n = 0;

                                if (before > 0 && before <= FRAME_EVENTS_MAX) {
                                        n += put_frame(events, 0, before);
                                        expect(&expected, FRAME_READY, 0, before);
                                }
                                n += put_frame(events + n, 1000, lengths[l]);
                                n += put_frame(events + n, 5000, 3);
                                if (lengths[l] <= FRAME_EVENTS_MAX)
                                        expect(&expected, FRAME_READY, 1000, lengths[l]);
                                else
                                        expect(&expected, FRAME_RESYNC, 0, 0);
                                expect(&expected, FRAME_READY, 5000, 3);

                                feed(&r, &got, events, n, pieces[p]);
                                assert_results(&got, &expected);
                        }
}

/* A SYN of another kind does not end a frame. */
static void test_other_syn(void **state)
{
        struct frame_reader r = { 0 };
        struct input_event events[] = { { .type = EV_SYN, .code = SYN_MT_REPORT }, syn }, *frame;
        unsigned n;

        memcpy(frame_reader_space(&r, &n), events, sizeof(events));
        frame_reader_filled(&r, ARRAY_SIZE(events));
        assert_int_equal(frame_reader_next(&r, &frame, &n), FRAME_READY);
        assert_int_equal(n, 2);
        assert_int_equal(frame_reader_next(&r, &frame, &n), FRAME_NONE);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_nothing),
                cmocka_unit_test(test_whole_buffer_is_free_at_first),
                cmocka_unit_test(test_split_at_every_position),
                cmocka_unit_test(test_wrap),
                cmocka_unit_test(test_dropped_in_all_places),
                cmocka_unit_test(test_dropped_alone),
                cmocka_unit_test(test_dropped_twice),
                cmocka_unit_test(test_dropped_long),
                cmocka_unit_test(test_oversize),
                cmocka_unit_test(test_other_syn),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
