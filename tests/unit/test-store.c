/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* systemd's descriptor store, played by this test: LISTEN_FDS and a socket. */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>

#include <cmocka.h>

#include "common/mem.h"
#include "daemon/input/store.h"

#define FDS_MAX 8

/* Leaves n descriptors of /dev/null where systemd would, under these names. */
static void give(const char *names, int n)
{
        char number[16];

        for (int i = 0; i < n; i++) {
                int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

                assert_true(fd >= 0);
                if (fd != SD_LISTEN_FDS_START + i) {
                        assert_true(dup2(fd, SD_LISTEN_FDS_START + i) >= 0);
                        (void) close(fd);
                }
        }
        (void) snprintf(number, sizeof(number), "%d", n);
        assert_int_equal(setenv("LISTEN_FDS", number, 1), 0);
        (void) snprintf(number, sizeof(number), "%d", (int) getpid());
        assert_int_equal(setenv("LISTEN_PID", number, 1), 0);
        if (names)
                assert_int_equal(setenv("LISTEN_FDNAMES", names, 1), 0);
}

static bool is_open(int fd)
{
        return fcntl(fd, F_GETFD) >= 0;
}

static int teardown(void **state)
{
        (void) unsetenv("LISTEN_FDS");
        (void) unsetenv("LISTEN_PID");
        (void) unsetenv("LISTEN_FDNAMES");
        (void) unsetenv("NOTIFY_SOCKET");
        return 0;
}

static void test_outside_systemd(void **state)
{
        struct store *s = store_new();

        assert_non_null(s);
        assert_int_equal(store_take(s, "keyboard-win10"), -ENOENT);
        assert_null(store_peek(s, ""));
        store_put("keyboard-win10", STDOUT_FILENO);
        store_remove("keyboard-win10");
        assert_null(store_free(s));
        assert_null(store_free(NULL));
}

static void test_taken_by_name(void **state)
{
        struct store *s;

        give("keyboard-a:pointer-a:host-0123", 3);
        s = store_new();
        assert_int_equal(store_take(s, "pointer-a"), SD_LISTEN_FDS_START + 1);
        assert_int_equal(store_take(s, "pointer-a"), -ENOENT);
        assert_int_equal(store_take(s, "keyboard-"), -ENOENT);
        assert_int_equal(store_take(s, "keyboard-a"), SD_LISTEN_FDS_START);
        assert_true(fcntl(SD_LISTEN_FDS_START, F_GETFD) & FD_CLOEXEC);

        /* What was taken is the taker's, the rest is closed. */
        assert_null(store_free(s));
        assert_true(is_open(SD_LISTEN_FDS_START));
        assert_true(is_open(SD_LISTEN_FDS_START + 1));
        assert_false(is_open(SD_LISTEN_FDS_START + 2));
        (void) close(SD_LISTEN_FDS_START);
        (void) close(SD_LISTEN_FDS_START + 1);
}

static void test_peek(void **state)
{
        struct store *s;

        give("host-1:keyboard-a:keyboard-b", 3);
        s = store_new();
        assert_string_equal(store_peek(s, "keyboard-"), "keyboard-a");
        (void) close(store_take(s, "keyboard-a"));
        assert_string_equal(store_peek(s, "keyboard-"), "keyboard-b");
        assert_string_equal(store_peek(s, "host-"), "host-1");
        (void) close(store_take(s, "keyboard-b"));
        assert_null(store_peek(s, "keyboard-"));
        assert_null(store_free(s));
}

static void test_same_name_twice(void **state)
{
        struct store *s;
        int first, second;

        give("keyboard-a:keyboard-a", 2);
        s = store_new();
        first = store_take(s, "keyboard-a");
        second = store_take(s, "keyboard-a");
        assert_true(first >= 0 && second >= 0 && first != second);
        assert_int_equal(store_take(s, "keyboard-a"), -ENOENT);
        (void) close(first);
        (void) close(second);
        assert_null(store_free(s));
}

static void test_no_names(void **state)
{
        struct store *s;

        give(NULL, 1);
        s = store_new();
        assert_null(store_peek(s, "keyboard-"));
        assert_null(store_free(s));
        assert_false(is_open(SD_LISTEN_FDS_START));
}

/* Descriptors that were meant for our parent are not ours. */
static void test_other_pid(void **state)
{
        struct store *s;

        give("keyboard-a", 1);
        assert_int_equal(setenv("LISTEN_PID", "1", 1), 0);
        s = store_new();
        assert_int_equal(store_take(s, "keyboard-a"), -ENOENT);
        assert_null(store_free(s));
        assert_true(is_open(SD_LISTEN_FDS_START));
        (void) close(SD_LISTEN_FDS_START);
}

/* Children of ours do not take them for theirs. */
static void test_environment_is_cleared(void **state)
{
        give("keyboard-a", 1);
        assert_null(store_free(store_new()));
        assert_null(getenv("LISTEN_FDS"));
        assert_null(getenv("LISTEN_PID"));
        assert_null(getenv("LISTEN_FDNAMES"));
}

/* ---- what we say to systemd ---- */

/* A bound datagram socket that $NOTIFY_SOCKET names. */
static int listen_as_systemd(void)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        char name[64];
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        (void) snprintf(name, sizeof(name), "@vfio-test-store-%d", (int) getpid());
        memcpy(address.sun_path + 1, name + 1, strlen(name) - 1);
        assert_true(fd >= 0);
        assert_int_equal(bind(fd, (struct sockaddr *) &address,
                              (socklen_t) (offsetof(struct sockaddr_un, sun_path) + strlen(name))), 0);
        assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
        return fd;
}

/* The next message, and the descriptor that came with it or -1. */
static int receive(int fd, char *text, size_t size)
{
        union {
                struct cmsghdr header;
                char space[CMSG_SPACE(sizeof(int) * FDS_MAX) + CMSG_SPACE(sizeof(struct ucred))];
        } control;
        struct iovec iov = { text, size - 1 };
        struct msghdr m = {
                .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control),
        };
        ssize_t n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
        int received = -1;

        assert_true(n >= 0);
        text[n] = 0;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
                if (c->cmsg_type != SCM_RIGHTS)
                        continue;
                assert_int_equal(c->cmsg_len, CMSG_LEN(sizeof(int)));
                memcpy(&received, CMSG_DATA(c), sizeof(received));
        }
        return received;
}

static void test_put(void **state)
{
        struct stat ours, theirs;
        char text[256];
        int manager = listen_as_systemd(), pipes[2], received;

        assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
        store_put("pointer-win10", pipes[1]);
        received = receive(manager, text, sizeof(text));
        assert_string_equal(text, "FDSTORE=1\nFDPOLL=0\nFDNAME=pointer-win10");
        assert_int_equal(fstat(received, &theirs), 0);
        assert_int_equal(fstat(pipes[1], &ours), 0);
        assert_int_equal(ours.st_ino, theirs.st_ino);

        /* A copy: ours stays usable. */
        (void) close(received);
        assert_int_equal(write(pipes[1], "x", 1), 1);
        (void) close(pipes[0]);
        (void) close(pipes[1]);
        (void) close(manager);
}

static void test_remove(void **state)
{
        char text[256];
        int manager = listen_as_systemd();

        store_remove("host-0123456789abcdef");
        assert_int_equal(receive(manager, text, sizeof(text)), -1);
        assert_string_equal(text, "FDSTOREREMOVE=1\nFDNAME=host-0123456789abcdef");
        (void) close(manager);
}

/* systemd does not listen: a line in the log, and on we go. */
static void test_nobody_listens(void **state)
{
        int manager = listen_as_systemd(), error, saved = dup(STDERR_FILENO);
        char line[256] = "";
        int pipes[2];

        (void) close(manager);
        assert_int_equal(pipe2(pipes, O_CLOEXEC | O_NONBLOCK), 0);
        assert_true(dup2(pipes[1], STDERR_FILENO) >= 0);
        store_put("keyboard-a", STDIN_FILENO);
        store_remove("keyboard-a");
        error = (int) read(pipes[0], line, sizeof(line) - 1);
        assert_true(dup2(saved, STDERR_FILENO) >= 0);
        assert_true(error > 0);
        assert_non_null(strstr(line, "keyboard-a will not survive a restart"));
        (void) close(saved);
        (void) close(pipes[0]);
        (void) close(pipes[1]);
}

#define STORE_TEST(f) cmocka_unit_test_teardown(f, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                STORE_TEST(test_outside_systemd),
                STORE_TEST(test_taken_by_name),
                STORE_TEST(test_peek),
                STORE_TEST(test_same_name_twice),
                STORE_TEST(test_no_names),
                STORE_TEST(test_other_pid),
                STORE_TEST(test_environment_is_cleared),
                STORE_TEST(test_put),
                STORE_TEST(test_remove),
                STORE_TEST(test_nobody_listens),
        };

        (void) teardown(NULL); /* none of this is for us */
        return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
