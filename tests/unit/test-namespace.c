/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Nodes below a /dev, which here is a directory of the test's own, and what
 * somebody who is root in a guest's namespace might have put there. */

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "daemon/guest/namespace.h"
#include "tests/unit/pidfd.h"

#define DEVICE makedev(1, 3) /* the null device: allowed where any is */
#define OTHER_DEVICE makedev(1, 5)
#define UID 12345U
#define GID 54321U

static const struct namespace_place place = { .profile = "libvirt-x", .name = "input7" };
static char directory[] = "/tmp/test-namespace-XXXXXX";
static int dev = -EBADF;
static bool possible;

static int setup(void **state)
{
        (void) strcpy(directory, "/tmp/test-namespace-XXXXXX");
        if (!mkdtemp(directory))
                return -1;
        dev = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dev < 0)
                return -1;
        possible = geteuid() == 0 && mknodat(dev, "try", S_IFCHR, DEVICE) == 0;
        (void) unlinkat(dev, "try", 0);
        return 0;
}

static int teardown(void **state)
{
        char command[64];

        dev = safe_close(dev);
        (void) snprintf(command, sizeof(command), "rm -rf '%s'", directory);
        return system(command);
}

static void need_mknod(void)
{
        if (possible)
                return;
        print_message("SKIP: no device node may be made here\n");
        skip();
}

static int make(void)
{
        return namespace_make_node(dev, &place, DEVICE, UID, GID);
}

static void assert_mode(const char *path, mode_t mode, uid_t uid)
{
        struct stat st;

        assert_int_equal(fstatat(dev, path, &st, AT_SYMLINK_NOFOLLOW), 0);
        assert_int_equal(st.st_mode, mode);
        assert_int_equal(st.st_uid, uid);
}

static bool is_empty(void)
{
        return rmdir(directory) == 0 && mkdir(directory, 0700) == 0;
}

static void test_made_and_removed(void **state)
{
        struct stat st;
        mode_t mask;

        need_mknod();
        mask = umask(0077);
        assert_int_equal(namespace_stat_node(dev, &place, &st), -ENOENT);
        assert_int_equal(make(), 0);
        (void) umask(mask);
        assert_mode("vfio-inputd", S_IFDIR | 0755, 0);
        assert_mode("vfio-inputd/libvirt-x", S_IFDIR | 0755, 0);
        assert_mode("vfio-inputd/libvirt-x/input7", S_IFCHR | 0600, UID);
        assert_int_equal(namespace_stat_node(dev, &place, &st), 0);
        assert_int_equal(st.st_rdev, DEVICE);
        assert_int_equal(st.st_gid, GID);
        assert_int_equal(make(), 0);
        assert_int_equal(namespace_remove_node(dev, &place, DEVICE), 0);
        assert_true(is_empty());
}

static void test_removed_twice(void **state)
{
        need_mknod();
        assert_int_equal(make(), 0);
        assert_int_equal(namespace_remove_node(dev, &place, DEVICE), 0);
        assert_int_equal(namespace_remove_node(dev, &place, DEVICE), 0);
        assert_true(is_empty());
}

static void test_others_stay(void **state)
{
        static const struct namespace_place second = { .profile = "libvirt-x", .name = "input8" };

        need_mknod();
        assert_int_equal(make(), 0);
        assert_int_equal(namespace_make_node(dev, &second, OTHER_DEVICE, UID, GID), 0);
        assert_int_equal(namespace_remove_node(dev, &place, DEVICE), 0);
        assert_mode("vfio-inputd/libvirt-x/input8", S_IFCHR | 0600, UID);
        assert_int_equal(namespace_remove_node(dev, &second, DEVICE), 0); /* another device's: stays */
        assert_mode("vfio-inputd/libvirt-x/input8", S_IFCHR | 0600, UID);
}

/* What there is at the place of the node is not given away. */
static void test_something_else_there(void **state)
{
        need_mknod();
        assert_int_equal(mkdirat(dev, "vfio-inputd", 0755), 0);
        assert_int_equal(mkdirat(dev, "vfio-inputd/libvirt-x", 0755), 0);
        assert_int_equal(symlinkat("/dev/null", dev, "vfio-inputd/libvirt-x/input7"), 0);
        assert_int_equal(make(), -EEXIST);
        assert_int_equal(namespace_remove_node(dev, &place, DEVICE), 0);
        assert_int_equal(unlinkat(dev, "vfio-inputd/libvirt-x/input7", 0), 0);
        assert_int_equal(mknodat(dev, "vfio-inputd/libvirt-x/input7", S_IFREG | 0600, 0), 0);
        assert_int_equal(make(), -EEXIST);
        assert_mode("vfio-inputd/libvirt-x/input7", S_IFREG | 0600, 0);
        assert_int_equal(unlinkat(dev, "vfio-inputd/libvirt-x/input7", 0), 0);
        assert_int_equal(mknodat(dev, "vfio-inputd/libvirt-x/input7", S_IFCHR | 0600, OTHER_DEVICE), 0);
        assert_int_equal(make(), -EEXIST);
        assert_mode("vfio-inputd/libvirt-x/input7", S_IFCHR | 0600, 0);
}

/* A link in the place of a directory leads nowhere. */
static void test_planted_directory_links(void **state)
{
        struct stat st;

        need_mknod();
        assert_int_equal(mkdirat(dev, "elsewhere", 0755), 0);
        assert_int_equal(symlinkat("elsewhere", dev, "vfio-inputd"), 0);
        assert_int_equal(make(), -ENOTDIR);
        assert_int_equal(namespace_stat_node(dev, &place, &st), -ENOTDIR);
        assert_int_equal(namespace_remove_node(dev, &place, DEVICE), 0);
        assert_int_equal(unlinkat(dev, "vfio-inputd", 0), 0);
        assert_int_equal(mkdirat(dev, "vfio-inputd", 0755), 0);
        assert_int_equal(symlinkat("../elsewhere", dev, "vfio-inputd/libvirt-x"), 0);
        assert_int_equal(make(), -ENOTDIR);
        assert_int_equal(unlinkat(dev, "elsewhere", AT_REMOVEDIR), 0); /* empty */
}

/* Others could exchange what is in these. */
static void test_directories_of_others(void **state)
{
        need_mknod();
        assert_int_equal(mkdirat(dev, "vfio-inputd", 0755), 0);
        assert_int_equal(fchownat(dev, "vfio-inputd", UID, GID, 0), 0);
        assert_int_equal(make(), -EPERM);
        assert_int_equal(fchownat(dev, "vfio-inputd", 0, 0, 0), 0);
        assert_int_equal(fchmodat(dev, "vfio-inputd", 0777, 0), 0);
        assert_int_equal(make(), -EPERM);
        assert_int_equal(fchmodat(dev, "vfio-inputd", 0700, 0), 0); /* left so by a crash */
        assert_int_equal(make(), 0);
        assert_mode("vfio-inputd", S_IFDIR | 0755, 0);
}

/* No name reaches out of the directory. */
static void test_names_that_climb(void **state)
{
        static const struct namespace_place climbing = { .profile = "../outside", .name = "input7" };

        need_mknod();
        assert_int_equal(mkdirat(dev, "outside", 0755), 0);
        assert_int_equal(namespace_make_node(dev, &climbing, DEVICE, UID, GID), -EINVAL);
        assert_int_equal(unlinkat(dev, "outside", AT_REMOVEDIR), 0);
}

static void test_dev_of_processes(void **state)
{
        _cleanup_(process_freep) struct process *p = NULL;
        _autoclose_ int own = -EBADF, dev_directory = -EBADF;

        NEED_PIDFD();
        dev_directory = open("/dev", O_PATH | O_DIRECTORY | O_CLOEXEC);
        assert_int_equal(process_pin(getpid(), &p), 0);
        own = namespace_open_dev(p);
        if (own == -EPERM) {
                print_message("SKIP: /dev is not root's here\n");
                skip();
        }
        assert_true(own >= 0);
        assert_true(namespace_is_same(own, dev_directory));
        assert_false(namespace_is_same(own, dev));
}

static void *wait_for_ever(void *userdata)
{
        for (;;)
                (void) pause();
        return NULL;
}

/* A child that is on its way out: its first thread has ended, another has not. */
static pid_t start_ending(void)
{
        pid_t pid = fork();
        pthread_t thread;

        assert_true(pid >= 0);
        if (pid != 0)
                return pid;
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (pthread_create(&thread, NULL, wait_for_ever, NULL) == 0)
                (void) syscall(SYS_exit, 0); /* of the thread, not of the process */
        _exit(1);
}

static bool first_thread_ended(const struct process *p)
{
        _autofree_ char *text = NULL;
        size_t size;

        assert_int_equal(process_read(p, "stat", &text, &size), 0);
        return strstr(text, ") Z ");
}

/* As QEMU killed with SIGKILL: its /dev is gone before its pidfd says that it is. */
static void test_dev_of_an_ending_process(void **state)
{
        _cleanup_(process_freep) struct process *p = NULL;
        pid_t pid;

        NEED_PIDFD();
        pid = start_ending();
        assert_int_equal(process_pin(pid, &p), 0);
        while (!first_thread_ended(p))
                (void) sched_yield();
        assert_int_equal(process_check_alive(p), 0);
        assert_int_equal(namespace_open_dev(p), -ESRCH);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        assert_int_equal(namespace_open_dev(p), -ESRCH);
}

#define NAMESPACE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                NAMESPACE_TEST(test_made_and_removed),
                NAMESPACE_TEST(test_removed_twice),
                NAMESPACE_TEST(test_others_stay),
                NAMESPACE_TEST(test_something_else_there),
                NAMESPACE_TEST(test_planted_directory_links),
                NAMESPACE_TEST(test_directories_of_others),
                NAMESPACE_TEST(test_names_that_climb),
                NAMESPACE_TEST(test_dev_of_processes),
                NAMESPACE_TEST(test_dev_of_an_ending_process),
        };

        return cmocka_run_group_tests_name("namespace", tests, NULL, NULL);
}
