/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Pinned processes: the real kernel, and children of this test. */

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "daemon/guest/process.h"
#include "tests/unit/pidfd.h"

/* A child that waits to be killed, if only by our end. */
static pid_t start(void)
{
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0) {
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                for (;;)
                        (void) pause();
        }
        return pid;
}

/* It stays a zombie. */
static void end(pid_t pid)
{
        siginfo_t info;

        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitid(P_PID, (id_t) pid, &info, WEXITED | WNOWAIT), 0);
}

static void reap(pid_t pid)
{
        assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_alive(void **state)
{
        _cleanup_(process_freep) struct process *p = NULL;
        pid_t pid = start();
        uid_t uid;
        gid_t gid;

        assert_int_equal(process_pin(pid, &p), 0);
        assert_int_equal(process_pid(p), pid);
        assert_int_equal(process_check_alive(p), 0);
        assert_int_equal(process_owner(p, &uid, &gid), 0);
        assert_int_equal(uid, geteuid());
        assert_int_equal(gid, getegid());
        end(pid);
        reap(pid);
}

static void test_ends_while_pinned(void **state)
{
        _cleanup_(process_freep) struct process *p = NULL;
        struct pollfd end_of_it = { .events = POLLIN };
        _autofree_ char *text = NULL;
        pid_t pid = start();
        size_t size;

        assert_int_equal(process_pin(pid, &p), 0);
        end_of_it.fd = process_pidfd(p);
        assert_int_equal(poll(&end_of_it, 1, 0), 0);
        end(pid);
        assert_int_equal(poll(&end_of_it, 1, 10000), 1);
        assert_int_equal(process_check_alive(p), -ESRCH);
        reap(pid);
        assert_int_equal(process_check_alive(p), -ESRCH);
        assert_int_equal(process_read(p, "cgroup", &text, &size), -ESRCH);
        assert_int_equal(process_has_argument(p, "x"), -ESRCH);
        assert_int_equal(process_has_open(p, 1), -ESRCH);
}

static void test_zombie_and_none(void **state)
{
        struct process *p = NULL;
        pid_t pid = start();

        end(pid);
        assert_int_equal(process_pin(pid, &p), -ESRCH);
        reap(pid);
        assert_int_equal(process_pin(pid, &p), -ESRCH);
        assert_int_equal(process_pin(0, &p), -ESRCH);
        assert_int_equal(process_pin(-1, &p), -ESRCH);
        assert_null(p);
}

static void test_another_with_the_same_number(void **state)
{
        _cleanup_(process_freep) struct process *p = NULL, *again = NULL;

        assert_int_equal(process_pin(getpid(), &p), 0);
        assert_int_equal(process_pin_again(getpid(), process_start_time(p), &again), 0);
        again = process_free(again);
        assert_int_equal(process_pin_again(getpid(), process_start_time(p) + 1, &again), -ESRCH);
}

/* The name of a program may look like the fields that follow it. */
static void test_start_time_of_a_misleading_name(void **state)
{
        _cleanup_(process_freep) struct process *plain = NULL, *odd = NULL;
        int fd = open("/proc/self/comm", O_WRONLY | O_CLOEXEC);

        assert_int_equal(process_pin(getpid(), &plain), 0);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, "a) R 1 1 1", 10), 10);
        (void) close(fd);
        assert_int_equal(process_pin(getpid(), &odd), 0);
        assert_int_equal(process_start_time(plain), process_start_time(odd));
        assert_true(process_start_time(plain) > 0);
}

static void test_arguments(void **state)
{
        _cleanup_(process_freep) struct process *p = NULL;
        _autofree_ char *line = NULL;
        size_t size;

        assert_int_equal(process_pin(getpid(), &p), 0);
        assert_int_equal(process_read(p, "cmdline", &line, &size), 0);
        assert_true(process_has_argument(p, line));
        line[strlen(line) - 1] = '\0';
        assert_false(process_has_argument(p, line));
}

static void test_open_device(void **state)
{
        _cleanup_(process_freep) struct process *p = NULL;
        struct stat st;
        int fd;

        assert_int_equal(stat("/dev/full", &st), 0);
        assert_int_equal(process_pin(getpid(), &p), 0);
        assert_int_equal(process_has_open(p, st.st_rdev), false);
        fd = open("/dev/full", O_RDONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(process_has_open(p, st.st_rdev), true);
        (void) close(fd);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_alive),
                cmocka_unit_test(test_ends_while_pinned),
                cmocka_unit_test(test_zombie_and_none),
                cmocka_unit_test(test_another_with_the_same_number),
                cmocka_unit_test(test_start_time_of_a_misleading_name),
                cmocka_unit_test(test_arguments),
                cmocka_unit_test(test_open_device),
        };

        if (skip_all_without_pidfd())
                return 0;
        return cmocka_run_group_tests_name("process", tests, NULL, NULL);
}
