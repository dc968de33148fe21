/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>

#include <cmocka.h>

/* Standard error while a test runs, and the end on which it is read. */
struct sink {
        int saved, reader;
        char text[4096];
};

static void redirect(struct sink *s, int type)
{
        int fds[2];

        *s = (struct sink) { .saved = dup(STDERR_FILENO) };
        assert_int_equal(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds), 0);
        assert_true(dup2(fds[1], STDERR_FILENO) >= 0);
        (void) close(fds[1]);
        s->reader = fds[0];
        log_init("test");
        log_set_level(LOG_LEVEL_INFO);
}

/* What was logged; standard error is as before. */
static const char *restore(struct sink *s)
{
        ssize_t n;

        assert_true(dup2(s->saved, STDERR_FILENO) >= 0);
        (void) close(s->saved);
        n = recv(s->reader, s->text, sizeof(s->text) - 1, MSG_DONTWAIT);
        s->text[n > 0 ? n : 0] = 0;
        (void) close(s->reader);
        return s->text;
}

static int teardown(void **state)
{
        (void) unsetenv("JOURNAL_STREAM");
        (void) unsetenv("VFIO_LOG_LEVEL");
        return 0;
}

static void test_terminal(void **state)
{
        struct sink s;

        redirect(&s, SOCK_STREAM);
        log_info("three %s", "words");
        assert_int_equal(log_error_errno(-ENOENT, "no %d", 7), -ENOENT);
        assert_string_equal(restore(&s), "test: three words\ntest: no 7: No such file or directory\n");
}

static void test_journal(void **state)
{
        struct sink s;

        assert_int_equal(setenv("JOURNAL_STREAM", "8:1", 1), 0);
        redirect(&s, SOCK_STREAM);
        log_warning("text");
        log_notice("text");
        assert_true(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK);
        assert_string_equal(restore(&s), "<4>text\n<5>text\n");
}

static void test_levels(void **state)
{
        struct sink s;

        assert_int_equal(setenv("VFIO_LOG_LEVEL", "nonsense", 1), 0);
        redirect(&s, SOCK_STREAM);
        log_debug("left out");
        log_set_level(LOG_LEVEL_ERROR);
        log_warning("left out");
        assert_int_equal(log_warning_errno(-EPERM, "left out"), -EPERM);
        log_error("shown");
        assert_string_equal(restore(&s), "test: shown\n");
        assert_int_equal(log_level_from_string("debug"), LOG_LEVEL_DEBUG);
        assert_int_equal(log_level_from_string("Debug"), -EINVAL);
        assert_int_equal(log_level_from_string(""), -EINVAL);
}

/* What others call themselves or say cannot look like lines of ours. */
static void test_one_line_a_message(void **state)
{
        struct sink s;

        redirect(&s, SOCK_STREAM);
        log_info("QEMU says: %s", "bad\n<3>forged\r\x1b[2J\x7f\tend \xc3\xbc");
        assert_string_equal(restore(&s), "test: QEMU says: bad?<3>forged??[2J??end \xc3\xbc\n");
}

static void test_long_message(void **state)
{
        char text[3000];
        struct sink s;
        const char *logged;

        memset(text, 'x', sizeof(text) - 1);
        text[sizeof(text) - 1] = 0;
        redirect(&s, SOCK_STREAM);
        (void) log_error_errno(-EIO, "%s", text);
        logged = restore(&s);
        assert_int_equal(strlen(logged), 1023);
        assert_int_equal(logged[1022], '\n');
        assert_ptr_equal(strchr(logged, '\n'), logged + 1022);
}

/* A journal that hangs: the line is lost, nobody waits. */
static void test_full_journal(void **state)
{
        struct sink s;

        assert_int_equal(setenv("JOURNAL_STREAM", "8:1", 1), 0);
        redirect(&s, SOCK_STREAM);
        (void) alarm(60);
        for (unsigned i = 0; i < 10000; i++)
                log_error("line %u", i);
        (void) alarm(0);
        (void) restore(&s);
}

#define LOG_TEST(f) cmocka_unit_test_teardown(f, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                LOG_TEST(test_terminal),
                LOG_TEST(test_journal),
                LOG_TEST(test_levels),
                LOG_TEST(test_one_line_a_message),
                LOG_TEST(test_long_message),
                LOG_TEST(test_full_journal),
        };

        return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
