/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/polkit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>

#include <cmocka.h>

/* The daemon's connection ends at a socket, and behind that this test is the
 * bus, polkit and all callers at once. */

#define BUS_NAME "org.freedesktop.DBus"
#define CALLER ":1.7"
#define ACTION "org.vfio.test.act"
#define TURNS_MAX 100000

/* How polkit answers. */
enum answer {
        ANSWER_YES,
        ANSWER_NO,
        ANSWER_CHALLENGE,
        ANSWER_GARBAGE,
        ANSWER_NONE,
};

struct test {
        sd_bus *daemon, *outside;
        struct polkit *polkit;
        int uid; /* of every caller; -1: the bus does not know */
        enum answer answer;
        const char *answer_error; /* instead, if not NULL */

        unsigned acted, asked, cancelled;
        bool interactive; /* of the last question */
        int act_result;
        bool act_frees; /* act ends the daemon's polkit */
        unsigned replies, refusals;
        char error[128]; /* name of the last error reply */
};

static int act(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        struct test *t = userdata;
        const char *text;

        t->acted++;
        assert_true(sd_bus_message_read(m, "s", &text) > 0); /* rewound */
        assert_string_equal(text, "argument");
        if (t->act_frees)
                t->polkit = polkit_free(t->polkit);
        if (t->act_result < 0)
                return t->act_result;
        return sd_bus_reply_method_return(m, NULL);
}

static int on_method(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        struct test *t = userdata;
        const char *text;

        assert_true(sd_bus_message_read(m, "s", &text) > 0);
        return polkit_guard(t->polkit, m, ACTION, act, t, error);
}

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("Act", "s", "", on_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

/* ---- the outside ---- */

static int answer_polkit(struct test *t, sd_bus_message *m)
{
        const char *kind, *key, *name, *action;
        uint32_t flags;

        assert_true(sd_bus_message_read(m, "(sa{sv})s", &kind, 1, &key, "s", &name, &action) > 0);
        assert_true(sd_bus_message_skip(m, "a{ss}") > 0);
        assert_true(sd_bus_message_read(m, "u", &flags) > 0);
        assert_string_equal(kind, "system-bus-name");
        assert_string_equal(name, CALLER);
        assert_string_equal(action, ACTION);
        t->asked++;
        t->interactive = flags == 1;
        if (t->answer_error)
                return sd_bus_reply_method_errorf(m, t->answer_error, "as the test wants it");
        switch (t->answer) {
        case ANSWER_YES:
                return sd_bus_reply_method_return(m, "(bba{ss})", 1, 0, 0);
        case ANSWER_NO:
                return sd_bus_reply_method_return(m, "(bba{ss})", 0, 0, 0);
        case ANSWER_CHALLENGE:
                return sd_bus_reply_method_return(m, "(bba{ss})", 0, 1, 0);
        case ANSWER_GARBAGE:
                return sd_bus_reply_method_return(m, "s", "yes");
        case ANSWER_NONE:
                break;
        }
        return 1;
}

static int outside(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        struct test *t = userdata;

        if (sd_bus_message_is_method_call(m, BUS_NAME, "GetConnectionUnixUser")) {
                if (t->uid < 0)
                        return sd_bus_reply_method_errorf(m, SD_BUS_ERROR_NAME_HAS_NO_OWNER, "nobody");
                return sd_bus_reply_method_return(m, "u", (uint32_t) t->uid);
        }
        if (sd_bus_message_is_method_call(m, NULL, "CheckAuthorization"))
                return answer_polkit(t, m);
        t->cancelled += sd_bus_message_is_method_call(m, NULL, "CancelCheckAuthorization") > 0;
        return 0;
}

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        const sd_bus_error *e = sd_bus_message_get_error(m);
        struct test *t = userdata;

        t->replies++;
        t->refusals += e != NULL;
        (void) snprintf(t->error, sizeof(t->error), "%s", e ? e->name : "");
        return 1;
}

/* Until neither side has anything to do. */
static void turn(struct test *t)
{
        for (unsigned i = 0, idle = 0; idle < 3; i++) {
                int a = sd_bus_process(t->daemon, NULL), b = sd_bus_process(t->outside, NULL);

                assert_true(a >= 0 && b >= 0 && i < TURNS_MAX);
                idle = a == 0 && b == 0 ? idle + 1 : 0;
        }
}

static void call(struct test *t, bool interactive)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

        assert_true(sd_bus_message_new_method_call(t->outside, &m, NULL, "/test", "test.Test", "Act") >= 0);
        assert_true(sd_bus_message_set_sender(m, CALLER) >= 0);
        assert_true(sd_bus_message_set_allow_interactive_authorization(m, interactive) >= 0);
        assert_true(sd_bus_message_append(m, "s", "argument") >= 0);
        assert_true(sd_bus_call_async(t->outside, NULL, m, on_reply, t, UINT64_MAX) >= 0);
}

static void caller_leaves(struct test *t)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

        assert_true(sd_bus_message_new_signal(t->outside, &m, "/org/freedesktop/DBus", BUS_NAME, "NameOwnerChanged") >=
                    0);
        assert_true(sd_bus_message_set_sender(m, BUS_NAME) >= 0);
        assert_true(sd_bus_message_append(m, "sss", CALLER, CALLER, "") >= 0);
        assert_true(sd_bus_send(t->outside, m, NULL) >= 0);
        turn(t);
}

static int setup(void **state)
{
        struct test *t = xnew0(struct test, 1);
        sd_id128_t id = { .bytes = { 1 } };
        int fds[2];

        (void) alarm(60);
        *state = t;
        t->uid = 1000;
        t->polkit = polkit_new();
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
        assert_true(sd_bus_new(&t->daemon) >= 0 && sd_bus_new(&t->outside) >= 0);
        assert_true(sd_bus_set_fd(t->daemon, fds[0], fds[0]) >= 0 && sd_bus_set_fd(t->outside, fds[1], fds[1]) >= 0);
        assert_true(sd_bus_set_server(t->daemon, 1, id) >= 0 && sd_bus_set_anonymous(t->daemon, 1) >= 0);
        assert_true(sd_bus_set_anonymous(t->outside, 1) >= 0);
        assert_true(sd_bus_start(t->daemon) >= 0 && sd_bus_start(t->outside) >= 0);
        assert_true(sd_bus_add_object_vtable(t->daemon, NULL, "/test", "test.Test", vtable, t) >= 0);
        assert_true(sd_bus_add_filter(t->outside, NULL, outside, t) >= 0);
        turn(t);
        return 0;
}

static int teardown(void **state)
{
        struct test *t = *state;

        t->polkit = polkit_free(t->polkit);
        sd_bus_close_unref(t->daemon);
        sd_bus_close_unref(t->outside);
        free(t);
        return 0;
}

/* One call, and what became of it. error: "" for none. */
static void check(struct test *t, unsigned acted, unsigned asked, const char *error)
{
        t->acted = t->asked = t->replies = 0;
        call(t, false);
        turn(t);
        assert_int_equal(t->replies, 1);
        assert_int_equal(t->acted, acted);
        assert_int_equal(t->asked, asked);
        assert_string_equal(t->error, error);
}

static void test_root(void **state)
{
        struct test *t = *state;

        t->uid = 0;
        check(t, 1, 0, "");
}

static void test_answers(void **state)
{
        static const struct {
                enum answer answer;
                const char *error;
        } cases[] = {
                { ANSWER_YES, "" },
                { ANSWER_NO, SD_BUS_ERROR_ACCESS_DENIED },
                { ANSWER_CHALLENGE, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED },
                { ANSWER_GARBAGE, SD_BUS_ERROR_ACCESS_DENIED },
        };
        struct test *t = *state;

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                t->answer = cases[i].answer;
                check(t, cases[i].answer == ANSWER_YES, 1, cases[i].error);
        }
}

static void test_polkit_errors(void **state)
{
        static const char *const errors[] = {
                SD_BUS_ERROR_SERVICE_UNKNOWN, SD_BUS_ERROR_NAME_HAS_NO_OWNER, SD_BUS_ERROR_NO_REPLY,
                "org.freedesktop.PolicyKit1.Error.NotAuthorized",
        };
        struct test *t = *state;

        for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
                t->answer_error = errors[i];
                check(t, 0, 1, SD_BUS_ERROR_ACCESS_DENIED);
        }
}

static void test_unknown_caller(void **state)
{
        struct test *t = *state;

        t->uid = -1;
        check(t, 0, 0, SD_BUS_ERROR_ACCESS_DENIED);
}

/* No width or sign makes root of it. */
static void test_strange_uid(void **state)
{
        struct test *t = *state;

        t->uid = INT32_MAX;
        t->answer = ANSWER_NO;
        check(t, 0, 1, SD_BUS_ERROR_ACCESS_DENIED);
}

static void test_interactive(void **state)
{
        struct test *t = *state;

        call(t, false);
        turn(t);
        assert_false(t->interactive);
        call(t, true);
        turn(t);
        assert_true(t->interactive);
}

static void test_failing_act(void **state)
{
        struct test *t = *state;

        t->uid = 0;
        t->act_result = -EINVAL;
        check(t, 1, 0, SD_BUS_ERROR_INVALID_ARGS);
}

static void test_caller_leaves(void **state)
{
        struct test *t = *state;

        t->answer = ANSWER_NONE;
        call(t, true);
        turn(t);
        assert_int_equal(t->asked, 1);
        caller_leaves(t);
        assert_int_equal(t->cancelled, 1);
        assert_int_equal(t->acted + t->replies, 0);
}

static void test_too_many(void **state)
{
        struct test *t = *state;

        t->answer = ANSWER_NONE;
        for (unsigned i = 0; i < 1500; i++)
                call(t, true);
        turn(t);
        assert_int_equal(t->asked, 64);
        assert_int_equal(t->refusals, 1500 - 64);
        assert_string_equal(t->error, SD_BUS_ERROR_LIMITS_EXCEEDED);
        caller_leaves(t);
        assert_int_equal(t->cancelled, 64);

        /* All of that is forgotten. */
        t->answer = ANSWER_YES;
        check(t, 1, 1, "");
}

static void test_freed_by_act(void **state)
{
        struct test *t = *state;

        t->uid = 0;
        t->act_frees = true;
        call(t, false);
        turn(t);
        assert_int_equal(t->acted, 1);
        assert_int_equal(t->replies, 1);
}

static void test_freed_with_open_questions(void **state)
{
        struct test *t = *state;

        t->answer = ANSWER_NONE;
        call(t, true);
        call(t, true);
        turn(t);
        t->polkit = polkit_free(t->polkit);
        turn(t);
        assert_int_equal(t->acted + t->replies, 0);
        assert_null(polkit_free(NULL));
}

#define POLKIT_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                POLKIT_TEST(test_root),
                POLKIT_TEST(test_answers),
                POLKIT_TEST(test_polkit_errors),
                POLKIT_TEST(test_unknown_caller),
                POLKIT_TEST(test_strange_uid),
                POLKIT_TEST(test_interactive),
                POLKIT_TEST(test_failing_act),
                POLKIT_TEST(test_caller_leaves),
                POLKIT_TEST(test_too_many),
                POLKIT_TEST(test_freed_by_act),
                POLKIT_TEST(test_freed_with_open_questions),
        };

        return cmocka_run_group_tests_name("polkit", tests, NULL, NULL);
}
