/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The QMP client, driven over a socket pair by scripted peers, and its stream,
 * driven with a clock of the test's own. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <sys/socket.h>

#include "common/mem.h"
#include "daemon/guest/qmp-stream.h"
#include "daemon/guest/qmp.h"

#define GREETING                                                                                   \
        "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 0, \"minor\": 2, \"major\": 7}, "          \
        "\"package\": \"\"}, \"capabilities\": [\"oob\"]}}\r\n"
#define SECOND 1000000ULL
#define PATIENCE_USEC (5 * SECOND)

/* --- the stream -------------------------------------------------------------- */

static int count_message(struct json_object *message, void *userdata)
{
        (*(unsigned *) userdata)++;
        return 0;
}

static int feed(struct qmp_stream *s, uint64_t now, const char *text, unsigned *n)
{
        return qmp_stream_feed(s, now, text, strlen(text), count_message, n);
}

static void test_stream_in_pieces(void **state)
{
        _cleanup_(qmp_stream_freep) struct qmp_stream *s = qmp_stream_new();
        const char *text = "{\"a\": [1, {\"b\": \"\\u00e4 \xc3\xa4 } \"}]}\r\n{}{}\n\n  {\"c\": -1.5e3}";
        unsigned n = 0;

        for (size_t i = 0; i < strlen(text); i++)
                assert_int_equal(qmp_stream_feed(s, 0, text + i, 1, count_message, &n), 0);
        assert_int_equal(n, 4);
        assert_false(qmp_stream_is_midway(s));
        assert_int_equal(feed(s, 0, " {", &n), 0);
        assert_true(qmp_stream_is_midway(s));

        n = 0;
        assert_int_equal(feed(s, 0, "}", &n), 0);
        assert_int_equal(feed(s, 0, text, &n), 0);
        assert_int_equal(n, 5);
}

static void test_stream_no_objects(void **state)
{
        static const char *const texts[] = { "[1]",      "null ",    "12 ", "\"a\"",  "nonsense", "{\"a\": }",
                                             "{\"a\" 1}", "{\"a\":1]", "{]",  "\xff\xfe", "{} x" };

        for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
                _cleanup_(qmp_stream_freep) struct qmp_stream *s = qmp_stream_new();
                unsigned n = 0;

                assert_int_equal(feed(s, 0, texts[i], &n), -EBADMSG);
        }
}

static void test_stream_nul_byte(void **state)
{
        _cleanup_(qmp_stream_freep) struct qmp_stream *s = qmp_stream_new();
        unsigned n = 0;

        assert_int_equal(qmp_stream_feed(s, 0, "{\"a\"\0: 1}", 9, count_message, &n), -EBADMSG);
}

/* Feeds begin, then piece over and over until something happens; in time that
 * goes on slowly enough for the rate not to matter. */
static int feed_endlessly(const char *begin, const char *piece, size_t *ret_fed)
{
        _cleanup_(qmp_stream_freep) struct qmp_stream *s = qmp_stream_new();
        unsigned n = 0;
        uint64_t now = 0;
        int r;

        *ret_fed = 0;
        r = feed(s, now, begin, &n);
        while (r == 0 && *ret_fed < 8 * QMP_MESSAGE_MAX) {
                r = feed(s, now += SECOND, piece, &n);
                *ret_fed += strlen(piece);
        }
        return r;
}

static void test_stream_too_large(void **state)
{
        size_t fed;

        assert_int_equal(feed_endlessly("{\"a\": \"", "xxxxxxxxxxxxxxxx", &fed), -EMSGSIZE);
        assert_in_range(fed, QMP_MESSAGE_MAX - 64, QMP_MESSAGE_MAX + 64);
        assert_int_equal(feed_endlessly("", "                ", &fed), -EMSGSIZE);
        assert_int_equal(feed_endlessly("{\"a\": [", "[],[],[],", &fed), -EMSGSIZE);
        assert_in_range(fed, 0, QMP_MESSAGE_CONTAINERS_MAX * 4);
        assert_int_equal(feed_endlessly("{\"a\": [", "1,2,3,4,", &fed), -EMSGSIZE);
        assert_in_range(fed, 0, QMP_MESSAGE_VALUES_MAX * 3);
        assert_int_equal(feed_endlessly("{\"a\": ", "[", &fed), -EBADMSG);
        assert_in_range(fed, 0, QMP_MESSAGE_DEPTH_MAX + 1);
}

static void test_stream_largest(void **state)
{
        _cleanup_(qmp_stream_freep) struct qmp_stream *s = qmp_stream_new();
        _autofree_ char *text = xnew0(char, QMP_MESSAGE_MAX + 1);
        unsigned n = 0;

        memset(text, 'x', QMP_MESSAGE_MAX);
        memcpy(text, "{\"a\":\"", 6);
        memcpy(text + QMP_MESSAGE_MAX - 2, "\"}", 2);
        for (unsigned i = 1; i <= 3; i++) {
                assert_int_equal(feed(s, i * SECOND, text, &n), 0);
                assert_int_equal(n, i);
        }
}

static void test_stream_rate(void **state)
{
        _cleanup_(qmp_stream_freep) struct qmp_stream *s = qmp_stream_new();
        unsigned n = 0;

        for (unsigned second = 1; second <= 3; second++)
                for (unsigned i = 0; i < QMP_RATE_MESSAGES_MAX; i++)
                        assert_int_equal(feed(s, second * SECOND, "{}\n", &n), 0);
        assert_int_equal(n, 3 * QMP_RATE_MESSAGES_MAX);
        assert_int_equal(feed(s, 3 * SECOND + SECOND / 2, "{}\n", &n), -EOVERFLOW);
}

/* --- the client -------------------------------------------------------------- */

/* What the client is to be freed in. */
enum free_in {
        FREE_AT_END,
        FREE_IN_READY,
        FREE_IN_EVENT,
        FREE_IN_ANSWERS,
        FREE_IN_CLOSED,
        FREE_IN_REPLY,
};

struct fixture {
        sd_event *event;
        struct qmp *qmp;
        int peer;
        unsigned n_ready, n_events, n_silent, n_answers, n_closed, n_replies, n_errors;
        int error;
        char reason[256], last_event[64], last_error[512];
        enum free_in free_in;
};

static void maybe_free(struct fixture *f, enum free_in where)
{
        if (f->free_in == where)
                f->qmp = qmp_free(f->qmp);
}

static void on_ready(void *userdata)
{
        struct fixture *f = userdata;

        f->n_ready++;
        maybe_free(f, FREE_IN_READY);
}

static void on_event(const char *name, void *userdata)
{
        struct fixture *f = userdata;

        f->n_events++;
        (void) snprintf(f->last_event, sizeof(f->last_event), "%s", name);
        maybe_free(f, FREE_IN_EVENT);
}

static void on_answers(bool answers, void *userdata)
{
        struct fixture *f = userdata;

        if (answers)
                f->n_answers++;
        else
                f->n_silent++;
        maybe_free(f, FREE_IN_ANSWERS);
}

static void on_closed(int error, const char *reason, void *userdata)
{
        struct fixture *f = userdata;

        f->n_closed++;
        f->error = error;
        (void) snprintf(f->reason, sizeof(f->reason), "%s", reason);
        maybe_free(f, FREE_IN_CLOSED);
}

static const struct qmp_handler handler = {
        .ready = on_ready,
        .event = on_event,
        .answers = on_answers,
        .closed = on_closed,
};

static void on_reply(struct json_object *result, const char *error, void *userdata)
{
        struct fixture *f = userdata;

        assert_true(!result || !error);
        f->n_replies++;
        if (error) {
                f->n_errors++;
                (void) snprintf(f->last_error, sizeof(f->last_error), "%s", error);
        }
        maybe_free(f, FREE_IN_REPLY);
}

static int setup(void **state)
{
        struct fixture *f = xnew0(struct fixture, 1);
        int fds[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
        assert_true(sd_event_new(&f->event) >= 0);
        f->peer = fds[1];
        assert_int_equal(qmp_new(f->event, fds[0], 30 * 1000, &handler, f, &f->qmp), 0);
        *state = f;
        return 0;
}

static int teardown(void **state)
{
        struct fixture *f = *state;

        qmp_free(f->qmp);
        (void) safe_close(f->peer);
        sd_event_unref(f->event);
        free(f);
        return 0;
}

static void say(struct fixture *f, const char *text)
{
        assert_int_equal(send(f->peer, text, strlen(text), MSG_NOSIGNAL), (ssize_t) strlen(text));
}

/* Runs the loop until a counter reaches n. */
static void run_until(struct fixture *f, const unsigned *counter, unsigned n)
{
        while (*counter < n)
                assert_true(sd_event_run(f->event, PATIENCE_USEC) > 0);
}

/* Runs all that can be run without waiting. */
static void run_out(struct fixture *f)
{
        while (sd_event_run(f->event, 0) > 0)
                ;
}

/* What the client has said since the last time. */
static const char *hear(struct fixture *f)
{
        static char text[4096];
        ssize_t n = recv(f->peer, text, sizeof(text) - 1, 0);

        text[MAX(n, 0)] = '\0';
        return text;
}

static void open_up(struct fixture *f)
{
        say(f, GREETING);
        run_out(f);
        assert_string_equal(hear(f), "{\"execute\":\"qmp_capabilities\",\"id\":1}\n");
        say(f, "{\"return\": {}, \"id\": 1}\r\n");
        run_out(f);
        assert_int_equal(f->n_ready, 1);
        assert_int_equal(qmp_major(f->qmp), 7);
}

static void call(struct fixture *f)
{
        assert_int_equal(qmp_call(f->qmp, "query-status", NULL, on_reply, f), 0);
}

static void assert_closed(struct fixture *f, int error, const char *reason)
{
        run_until(f, &f->n_closed, 1);
        assert_int_equal(f->error, error);
        assert_non_null(strstr(f->reason, reason));
        assert_int_equal(qmp_call(f->qmp, "stop", NULL, on_reply, f), -ENOTCONN);
        run_out(f);
        assert_int_equal(f->n_closed, 1);
}

static void test_call(void **state)
{
        struct fixture *f = *state;
        struct json_object *arguments = json_object_new_object();

        assert_int_equal(qmp_call(f->qmp, "stop", NULL, on_reply, f), -ENOTCONN);
        open_up(f);
        json_object_object_add(arguments, "path", json_object_new_string("/objects"));
        assert_int_equal(qmp_call(f->qmp, "qom-list", arguments, on_reply, f), 0);
        assert_string_equal(hear(f), "{\"execute\":\"qom-list\",\"arguments\":{\"path\":\"/objects\"},\"id\":2}\n");
        say(f, "{\"event\": \"STOP\"}{\"return\": [], \"id\": 2}\n{\"event\": \"RESUME\"}");
        run_until(f, &f->n_events, 2);
        assert_int_equal(f->n_replies, 1);
        assert_int_equal(f->n_errors, 0);
        assert_string_equal(f->last_event, "RESUME");
        assert_true(qmp_is_idle(f->qmp));
}

static void test_long_error(void **state)
{
        struct fixture *f = *state;
        _autofree_ char *text = NULL;
        char filler[400] = { 0 };

        open_up(f);
        call(f);
        memset(filler, 'y', sizeof(filler) - 1);
        text = xasprintf("{\"error\": {\"desc\": \"%s\"}, \"id\": 2}", filler);
        say(f, text);
        run_until(f, &f->n_errors, 1);
        assert_in_range(strlen(f->last_error), 100, 250);
}

static void test_error_without_text(void **state)
{
        struct fixture *f = *state;

        open_up(f);
        call(f);
        say(f, "{\"error\": 5, \"id\": 2}");
        run_until(f, &f->n_errors, 1);
        assert_string_equal(f->last_error, "an error without a description");
}

static void test_error_text(void **state)
{
        struct fixture *f = *state;

        open_up(f);
        call(f);
        say(f, "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\\n\\u001b[31m\xc3\xa4\"}, \"id\": 2}");
        run_until(f, &f->n_errors, 1);
        assert_string_equal(f->last_error, "no??[31m??");
}

static void test_no_greeting(void **state)
{
        struct fixture *f = *state;

        assert_closed(f, -ETIMEDOUT, "another program may be using this QMP socket");
}

static void test_greeting_and_no_more(void **state)
{
        struct fixture *f = *state;

        say(f, GREETING);
        assert_closed(f, -ETIMEDOUT, "");
}

static void test_bad_openings(void **state)
{
        static const char *const texts[] = {
                "{\"QMP\": {}}",
                "{\"QMP\": {\"version\": {\"qemu\": {\"major\": \"7\"}}}}",
                "{\"QMP\": 7}",
                "{\"return\": {}}",
                "{\"event\": \"STOP\"}",
                GREETING GREETING,
                GREETING "{\"return\": {}, \"id\": 2}",
                GREETING "{\"return\": {}}",
                GREETING "{\"return\": {}, \"id\": \"1\"}",
                GREETING "{\"error\": {\"desc\": \"no\"}, \"id\": 1}",
                GREETING "{\"error\": {}, \"return\": {}, \"id\": 1}",
                GREETING "{\"id\": 1}",
        };

        for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
                void *own = NULL;
                struct fixture *f;

                setup(&own);
                f = own;
                say(f, texts[i]);
                assert_closed(f, -EPROTO, "");
                assert_int_equal(f->n_ready, 0);
                teardown(&own);
        }
}

static void test_reply_to_nothing(void **state)
{
        struct fixture *f = *state;

        open_up(f);
        call(f);
        say(f, "{\"return\": {}, \"id\": 2}{\"return\": {}, \"id\": 2}");
        assert_closed(f, -EPROTO, "answers nothing");
        assert_int_equal(f->n_replies, 1);
}

static void test_replies_out_of_order(void **state)
{
        struct fixture *f = *state;

        open_up(f);
        call(f);
        call(f);
        say(f, "{\"return\": {}, \"id\": 3}");
        assert_closed(f, -EPROTO, "answers nothing");
        assert_int_equal(f->n_replies, 0);
}

static void test_nonsense(void **state)
{
        struct fixture *f = *state;

        say(f, "SSH-2.0-OpenSSH_9.2p1\r\n");
        assert_closed(f, -EBADMSG, "does not speak QMP");
}

static void test_closed_by_peer(void **state)
{
        struct fixture *f = *state;

        open_up(f);
        call(f);
        f->peer = safe_close(f->peer);
        assert_closed(f, -ECONNRESET, "has closed the QMP socket");
        assert_int_equal(f->n_replies, 0);
}

static void test_closed_in_the_middle(void **state)
{
        struct fixture *f = *state;

        open_up(f);
        say(f, "{\"event\": \"ST");
        f->peer = safe_close(f->peer);
        assert_closed(f, -ECONNRESET, "in the middle of a message");
}

static void test_silent_and_back(void **state)
{
        struct fixture *f = *state;

        open_up(f);
        call(f);
        call(f);
        run_until(f, &f->n_silent, 1);
        assert_false(qmp_answers(f->qmp));
        say(f, "{\"event\": \"RTC_CHANGE\"}");
        run_until(f, &f->n_events, 1);
        assert_int_equal(f->n_answers, 0);
        say(f, "{\"return\": {}, \"id\": 2}");
        run_until(f, &f->n_answers, 1);
        assert_true(qmp_answers(f->qmp));
        run_until(f, &f->n_silent, 2);
        say(f, "{\"return\": {}, \"id\": 3}");
        run_until(f, &f->n_replies, 2);
        assert_int_equal(f->n_closed, 0);
}

static void test_quiet_without_a_question(void **state)
{
        struct fixture *f = *state;

        open_up(f);
        assert_int_equal(sd_event_run(f->event, 100 * 1000), 0);
        assert_int_equal(f->n_silent, 0);
}

static void test_peer_that_does_not_read(void **state)
{
        struct fixture *f = *state;
        unsigned n = 0;
        int r;

        open_up(f);
        do {
                r = qmp_call(f->qmp, "query-status", NULL, on_reply, f);
                n++;
        } while (r == 0 && n < 10000);
        assert_int_equal(r, -EBUSY);
        assert_in_range(n, 3, 64);
        run_until(f, &f->n_silent, 1);
}

/* Fills the socket over and over until the client has had enough. */
static void flood(struct fixture *f, const char *piece)
{
        for (unsigned i = 0; i < 200000 && f->n_closed == 0; i++) {
                if (send(f->peer, piece, strlen(piece), MSG_NOSIGNAL) < 0 && errno != EAGAIN)
                        break;
                if (i % 64 == 0)
                        (void) sd_event_run(f->event, 0);
        }
        run_until(f, &f->n_closed, 1);
}

static void test_flood_of_events(void **state)
{
        struct fixture *f = *state;

        open_up(f);
        flood(f, "{\"event\": \"RTC_CHANGE\", \"data\": {\"offset\": 5}}\r\n");
        assert_int_equal(f->error, -EOVERFLOW);
        assert_in_range(f->n_events, 1, 2 * QMP_RATE_MESSAGES_MAX);
}

static void test_flood_without_end(void **state)
{
        struct fixture *f = *state;
        _autofree_ char *piece = xnew0(char, 4097);

        open_up(f);
        memset(piece, 'x', 4096);
        say(f, "{\"event\": \"");
        flood(f, piece);
        assert_int_equal(f->error, -EMSGSIZE);
}

/* One turn of the loop must not read for ever, however much there is. */
static void test_turns_are_short(void **state)
{
        struct fixture *f = *state;
        unsigned sent = 0, before;
        char text[1025] = { 0 };

        open_up(f);
        memset(text, ' ', sizeof(text) - 1);
        memcpy(text, "{\"event\": \"A\"}", 14);
        while (sent < 900 && send(f->peer, text, strlen(text), MSG_NOSIGNAL) > 0)
                sent++;
        assert_in_range(sent, 66, 900);
        while (f->n_events < sent) {
                before = f->n_events;
                assert_true(sd_event_run(f->event, PATIENCE_USEC) > 0);
                assert_in_range(f->n_events - before, 0, 65);
        }
        assert_int_equal(f->n_closed, 0);
}

static void test_freed_in_callbacks(void **state)
{
        for (enum free_in where = FREE_IN_READY; where <= FREE_IN_REPLY; where++) {
                void *own = NULL;
                struct fixture *f;

                setup(&own);
                f = own;
                if (where == FREE_IN_READY)
                        f->free_in = where;
                say(f, GREETING);
                run_out(f);
                say(f, "{\"return\": {}, \"id\": 1}");
                run_out(f);
                assert_int_equal(f->n_ready, 1);
                f->free_in = where;
                if (where == FREE_IN_ANSWERS) {
                        call(f);
                        run_until(f, &f->n_silent, 1);
                } else if (where != FREE_IN_READY) {
                        call(f);
                        say(f, where == FREE_IN_EVENT ? "{\"event\": \"A\"}{\"event\": \"B\"}{\"return\": 1, \"id\": 2}"
                                                      : "{\"return\": 1, \"id\": 2}{\"event\": \"A\"}nonsense");
                        run_out(f);
                }
                assert_null(f->qmp);
                assert_true(f->n_events <= 1);
                teardown(&own);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_stream_in_pieces),
                cmocka_unit_test(test_stream_no_objects),
                cmocka_unit_test(test_stream_nul_byte),
                cmocka_unit_test(test_stream_too_large),
                cmocka_unit_test(test_stream_largest),
                cmocka_unit_test(test_stream_rate),
                cmocka_unit_test_setup_teardown(test_call, setup, teardown),
                cmocka_unit_test_setup_teardown(test_long_error, setup, teardown),
                cmocka_unit_test_setup_teardown(test_error_without_text, setup, teardown),
                cmocka_unit_test_setup_teardown(test_error_text, setup, teardown),
                cmocka_unit_test_setup_teardown(test_no_greeting, setup, teardown),
                cmocka_unit_test_setup_teardown(test_greeting_and_no_more, setup, teardown),
                cmocka_unit_test(test_bad_openings),
                cmocka_unit_test_setup_teardown(test_reply_to_nothing, setup, teardown),
                cmocka_unit_test_setup_teardown(test_replies_out_of_order, setup, teardown),
                cmocka_unit_test_setup_teardown(test_nonsense, setup, teardown),
                cmocka_unit_test_setup_teardown(test_closed_by_peer, setup, teardown),
                cmocka_unit_test_setup_teardown(test_closed_in_the_middle, setup, teardown),
                cmocka_unit_test_setup_teardown(test_silent_and_back, setup, teardown),
                cmocka_unit_test_setup_teardown(test_quiet_without_a_question, setup, teardown),
                cmocka_unit_test_setup_teardown(test_peer_that_does_not_read, setup, teardown),
                cmocka_unit_test_setup_teardown(test_flood_of_events, setup, teardown),
                cmocka_unit_test_setup_teardown(test_flood_without_end, setup, teardown),
                cmocka_unit_test_setup_teardown(test_turns_are_short, setup, teardown),
                cmocka_unit_test(test_freed_in_callbacks),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
