/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Programs run to their end. */

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/mem.h"
#include "daemon/guest/command.h"
#include "tests/unit/pidfd.h"

#define LONG (60U * 1000U * 1000U)

static int run(const char *script, uint64_t timeout, char output[COMMAND_OUTPUT_MAX + 1])
{
        const char *const arguments[] = { "/bin/sh", "-c", script, NULL };

        return command_run(arguments, timeout, output);
}

static void test_status_and_both_outputs(void **state)
{
        char output[COMMAND_OUTPUT_MAX + 1];

        assert_int_equal(run("echo out; echo err >&2; exit 3", LONG, output), 3);
        assert_string_equal(output, "out\nerr\n");
        assert_int_equal(run("kill -9 $$", LONG, output), 128 + SIGKILL);
        assert_string_equal(output, "");
}

static void test_no_such_program(void **state)
{
        static const char *const arguments[] = { "/nonexistent", NULL };
        char output[COMMAND_OUTPUT_MAX + 1];

        assert_int_equal(command_run(arguments, LONG, output), -ENOENT);
}

/* More than fits into a pipe or into the buffer. */
static void test_much_output(void **state)
{
        char output[COMMAND_OUTPUT_MAX + 1];

        assert_int_equal(run("i=0; while [ $i -lt 20000 ]; do echo 0123456789; i=$((i+1)); done", LONG, output), 0);
        assert_int_equal(strlen(output), COMMAND_OUTPUT_MAX);
}

/* Its children end with it: the pipe they hold has no writer left. */
static void test_time_is_up(void **state)
{
        char output[COMMAND_OUTPUT_MAX + 1], script[64], byte;
        int fds[2];

        assert_int_equal(run("echo begun; exec sleep 600", 300U * 1000U, output), -ETIMEDOUT);
        assert_int_equal(pipe(fds), 0);
        (void) snprintf(script, sizeof(script), "exec 3>/proc/%d/fd/%d; sleep 600; exit", getpid(), fds[1]);
        assert_int_equal(run(script, 300U * 1000U, output), -ETIMEDOUT);
        (void) close(fds[1]);
        assert_int_equal(read(fds[0], &byte, 1), 0);
        (void) close(fds[0]);
}

/* Its child holds the outputs open. */
static void test_leaves_a_child_behind(void **state)
{
        char output[COMMAND_OUTPUT_MAX + 1];

        assert_int_equal(run("sleep 600 & echo $!", LONG, output), 0);
        assert_int_equal(kill((pid_t) atoi(output), SIGKILL), 0);
}

static void test_clean_surroundings(void **state)
{
        char output[COMMAND_OUTPUT_MAX + 1];
        sigset_t set, old;

        (void) sigemptyset(&set);
        (void) sigaddset(&set, SIGTERM);
        (void) sigprocmask(SIG_BLOCK, &set, &old);
        (void) setenv("LD_LIBRARY_PATH", "/nonexistent", 1);
        assert_int_equal(run("echo \"$LD_LIBRARY_PATH\"; kill -TERM $$; echo survived", LONG, output), 128 + SIGTERM);
        assert_string_equal(output, "\n");
        (void) unsetenv("LD_LIBRARY_PATH");
        (void) sigprocmask(SIG_SETMASK, &old, NULL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_status_and_both_outputs),
                cmocka_unit_test(test_no_such_program),
                cmocka_unit_test(test_much_output),
                cmocka_unit_test(test_time_is_up),
                cmocka_unit_test(test_leaves_a_child_behind),
                cmocka_unit_test(test_clean_surroundings),
        };

        if (skip_all_without_pidfd())
                return 0;
        return cmocka_run_group_tests_name("command", tests, NULL, NULL);
}
