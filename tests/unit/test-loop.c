/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The event loop: input first, then what follows from it, then sd-event. */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include <cmocka.h>

#include "common/mem.h"
#include "daemon/input/loop.h"

#define DEADLINE_SECONDS 60 /* of a whole test: the alarm ends a loop that does not */
#define MARKS_MAX 64

struct test {
        struct loop *loop;
        char marks[MARKS_MAX + 1]; /* what happened, one letter each */
        unsigned n_marks;
        void (*after)(struct test *t); /* may be NULL */
        bool after_result;
        int exit_code;
};

struct counter {
        struct loop_source source;
        struct test *test;
        struct counter *victim; /* removed and freed by the first dispatch */
        int fd;
        char mark;
        unsigned left; /* how often it is still readable */
};

static void mark(struct test *t, char c)
{
        if (t->n_marks < MARKS_MAX)
                t->marks[t->n_marks++] = c;
}

static bool after(void *userdata)
{
        struct test *t = userdata;

        if (t->after)
                t->after(t);
        return t->after_result;
}

static int setup(void **state)
{
        struct test *t = xnew0(struct test, 1);

        (void) alarm(DEADLINE_SECONDS);
        *state = t;
        return loop_new(&t->loop, after, t);
}

static int teardown(void **state)
{
        struct test *t = *state;

        (void) loop_free(t->loop);
        free(t);
        return 0;
}

static void counter_free(struct counter *c)
{
        loop_remove(c->test->loop, c->fd, &c->source);
        (void) close(c->fd);
        free(c);
}

static void dispatch(struct loop_source *s)
{
        struct counter *c = CONTAINER_OF(s, struct counter, source);
        uint64_t value;

        assert_int_equal(read(c->fd, &value, sizeof(value)), sizeof(value));
        mark(c->test, c->mark);
        if (--c->left > 0)
                assert_int_equal(write(c->fd, &value, sizeof(value)), sizeof(value));
        if (c->victim) {
                counter_free(c->victim);
                c->victim = NULL;
        }
}

/* fd: eight bytes a read. */
static struct counter *counter_for(struct test *t, char letter, unsigned times, int fd)
{
        struct counter *c = xnew0(struct counter, 1);

        *c = (struct counter) {
                .source.dispatch = dispatch,
                .test = t,
                .fd = fd,
                .mark = letter,
                .left = times,
        };
        assert_true(fd >= 0);
        assert_int_equal(loop_add(t->loop, fd, &c->source), 0);
        return c;
}

static struct counter *counter_new(struct test *t, char letter, unsigned times)
{
        return counter_for(t, letter, times, eventfd(times > 0, EFD_CLOEXEC | EFD_NONBLOCK));
}

/* Readable once, when the loop has long gone to sleep. */
static struct counter *counter_later(struct test *t, char letter)
{
        const struct itimerspec later = { .it_value.tv_nsec = 20 * 1000000 };
        int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

        assert_int_equal(timerfd_settime(fd, 0, &later, NULL), 0);
        return counter_for(t, letter, 1, fd);
}

static int on_exit_event(sd_event_source *s, void *userdata)
{
        struct test *t = userdata;

        mark(t, 'e');
        return sd_event_exit(loop_event(t->loop), t->exit_code);
}

/* Ends the loop in the first turn of sd-event. */
static void exit_when_due(struct test *t)
{
        assert_true(sd_event_add_defer(loop_event(t->loop), NULL, on_exit_event, t) >= 0);
}

static void mark_after(struct test *t)
{
        mark(t, '.');
}

static void test_order_of_a_turn(void **state)
{
        struct test *t = *state;
        struct counter *c = counter_new(t, 'i', 1);

        t->after = mark_after;
        exit_when_due(t);
        assert_int_equal(loop_run(t->loop), 0);
        assert_memory_equal(t->marks, "i.e", 3);
        counter_free(c);
}

static void test_exit_code(void **state)
{
        struct test *t = *state;

        t->exit_code = 7;
        exit_when_due(t);
        assert_int_equal(loop_run(t->loop), 7);
}

static int exit_after_input(sd_event_source *s, uint64_t usec, void *userdata)
{
        struct test *t = userdata;

        mark(t, 'e');
        return sd_event_exit(loop_event(t->loop), 0);
}

static void exit_in(struct test *t, uint64_t usec)
{
        assert_true(sd_event_add_time_relative(loop_event(t->loop), NULL, CLOCK_MONOTONIC, usec, 1, exit_after_input,
                                               t) >= 0);
}

static void test_every_source_is_dispatched(void **state)
{
        struct test *t = *state;
        struct counter *c[20];

        for (unsigned i = 0; i < ARRAY_SIZE(c); i++)
                c[i] = counter_new(t, (char) ('A' + i), 1);
        exit_in(t, 1000);
        assert_int_equal(loop_run(t->loop), 0);
        for (unsigned i = 0; i < ARRAY_SIZE(c); i++) {
                assert_non_null(strchr(t->marks, c[i]->mark));
                counter_free(c[i]);
        }
}

/* The second of a batch is gone, and its memory freed, when its turn comes. */
static void test_removal_inside_a_batch(void **state)
{
        struct test *t = *state;
        struct counter *first = counter_new(t, 'a', 1), *second = counter_new(t, 'b', 1);

        first->victim = second;
        exit_in(t, 1000);
        assert_int_equal(loop_run(t->loop), 0);
        assert_string_equal(t->marks, "ae");
        counter_free(first);
}

static void test_removal_of_a_dispatched_one(void **state)
{
        struct test *t = *state;
        struct counter *first = counter_new(t, 'a', 1), *second = counter_new(t, 'b', 1);

        second->victim = first;
        exit_in(t, 1000);
        assert_int_equal(loop_run(t->loop), 0);
        assert_string_equal(t->marks, "abe");
        counter_free(second);
}

/* What is not read at once is not forgotten. */
static void test_dispatched_while_readable(void **state)
{
        struct test *t = *state;
        struct counter *c = counter_new(t, 'a', 3);

        exit_in(t, 10000);
        assert_int_equal(loop_run(t->loop), 0);
        assert_string_equal(t->marks, "aaae");
        counter_free(c);
}

/* Input that never ends does not starve sd-event. */
static void test_input_does_not_starve_sd_event(void **state)
{
        struct test *t = *state;
        struct counter *c = counter_new(t, 'i', UINT32_MAX);

        exit_in(t, 2000);
        assert_int_equal(loop_run(t->loop), 0);
        counter_free(c);
}

static int count_defer(sd_event_source *s, void *userdata)
{
        struct test *t = userdata;

        mark(t, 's');
        if (t->n_marks < 40)
                return sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
        return sd_event_exit(loop_event(t->loop), 0);
}

/* Nor is input starved: sd-event gets one dispatch between two turns of it. */
static void test_sd_event_does_not_starve_input(void **state)
{
        struct test *t = *state;
        struct counter *c = counter_new(t, 'i', UINT32_MAX);

        assert_true(sd_event_add_defer(loop_event(t->loop), NULL, count_defer, t) >= 0);
        assert_int_equal(loop_run(t->loop), 0);
        for (unsigned i = 1; i < 20; i++)
                assert_int_not_equal(t->marks[i - 1], t->marks[i]);
        counter_free(c);
}

static void exit_after_the_input(struct test *t)
{
        t->after_result = strchr(t->marks, 'i') != NULL;
        if (!t->after_result)
                return;
        t->after = NULL;
        exit_when_due(t);
}

/* What the hook adds to sd-event is seen at once, though sd-event's descriptor
 * does not tell of it. */
static void test_sources_added_by_the_hook(void **state)
{
        struct test *t = *state;
        struct counter *c = counter_later(t, 'i');

        t->after = exit_after_the_input;
        assert_int_equal(loop_run(t->loop), 0);
        assert_string_equal(t->marks, "ie");
        counter_free(c);
}

static int on_wake(sd_event_source *s, uint64_t usec, void *userdata)
{
        struct counter *c = userdata;
        const uint64_t one = 1;

        mark(c->test, 't');
        assert_int_equal(write(c->fd, &one, sizeof(one)), sizeof(one));
        exit_in(c->test, 1000);
        return 0;
}

/* Both sides wake the loop out of its sleep: the timer, then the input that
 * the timer caused, then the next timer. */
static void test_wake_up_from_sleep(void **state)
{
        struct test *t = *state;
        struct counter *c = counter_new(t, 'i', 0);

        c->left = 1;
        assert_true(sd_event_add_time_relative(loop_event(t->loop), NULL, CLOCK_MONOTONIC, 1000, 1, on_wake, c) >= 0);
        assert_int_equal(loop_run(t->loop), 0);
        assert_string_equal(t->marks, "tie");
        counter_free(c);
}

struct hangup {
        struct loop_source source;
        struct test *test;
        int fd;
};

static void dispatch_hangup(struct loop_source *s)
{
        struct hangup *h = CONTAINER_OF(s, struct hangup, source);

        mark(h->test, 'h');
        loop_remove(h->test->loop, h->fd, &h->source);
}

/* An unplugged device hangs up and may have nothing to read. */
static void test_hang_up_is_dispatched(void **state)
{
        struct test *t = *state;
        struct hangup h = { .source.dispatch = dispatch_hangup, .test = t };
        int fds[2];

        assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
        h.fd = fds[0];
        assert_int_equal(loop_add(t->loop, h.fd, &h.source), 0);
        (void) close(fds[1]);
        exit_in(t, 1000);
        assert_int_equal(loop_run(t->loop), 0);
        assert_string_equal(t->marks, "he");
        (void) close(fds[0]);
}

static void test_add_reports_errors(void **state)
{
        struct test *t = *state;
        struct loop_source s = { .dispatch = dispatch_hangup };
        int fd = eventfd(0, EFD_CLOEXEC);

        assert_int_equal(loop_add(t->loop, -1, &s), -EBADF);
        assert_int_equal(loop_add(t->loop, fd, &s), 0);
        assert_int_equal(loop_add(t->loop, fd, &s), -EEXIST);
        loop_remove(t->loop, fd, &s);
        loop_remove(t->loop, fd, &s); /* twice harms nobody */
        assert_int_equal(loop_add(t->loop, fd, &s), 0);
        loop_remove(t->loop, fd, &s);
        (void) close(fd);
        assert_null(loop_free(NULL));
}

#define LOOP_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                LOOP_TEST(test_order_of_a_turn),
                LOOP_TEST(test_exit_code),
                LOOP_TEST(test_every_source_is_dispatched),
                LOOP_TEST(test_removal_inside_a_batch),
                LOOP_TEST(test_removal_of_a_dispatched_one),
                LOOP_TEST(test_dispatched_while_readable),
                LOOP_TEST(test_input_does_not_starve_sd_event),
                LOOP_TEST(test_sd_event_does_not_starve_input),
                LOOP_TEST(test_sources_added_by_the_hook),
                LOOP_TEST(test_wake_up_from_sleep),
                LOOP_TEST(test_hang_up_is_dispatched),
                LOOP_TEST(test_add_reports_errors),
        };

        return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
