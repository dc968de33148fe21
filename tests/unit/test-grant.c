/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Grants as far as no libvirt is needed: layers, records on disk, and what a
 * daemon finds of them after a restart. */

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "common/log.h"
#include "daemon/guest/grant-record.h"
#include "daemon/guest/grant.h"
#include "tests/unit/pidfd.h"

#define UUID "11111111-2222-3333-4444-55555555555a"
#define NAME UUID "-input12"

static char directory[32];
static int records = -EBADF;

static int setup(void **state)
{
        (void) strcpy(directory, "/tmp/test-grant-XXXXXX");
        if (!mkdtemp(directory))
                return -1;
        records = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return records < 0 ? -1 : 0;
}

static int teardown(void **state)
{
        char command[64];

        records = safe_close(records);
        (void) snprintf(command, sizeof(command), "rm -rf '%s'", directory);
        return system(command);
}

/* --- layers ----------------------------------------------------------------------- */

static void test_layers(void **state)
{
        struct layers l = { 0 };
        _autofree_ char *none = layers_blocking(&l), *first = NULL;

        assert_null(none);
        layers_set(&l, LAYER_NAMESPACE, LAYER_OPEN, "fine");
        layers_set(&l, LAYER_DAC, LAYER_ABSENT, "none");
        none = layers_blocking(&l);
        assert_null(none);
        layers_set(&l, LAYER_CGROUP, LAYER_SHUT, "later");
        layers_set(&l, LAYER_APPARMOR, LAYER_SHUT, "no rule for %s", "it");
        first = layers_blocking(&l);
        assert_string_equal(first, "apparmor: no rule for it");
}

static void test_layer_texts_are_harmless(void **state)
{
        char text[LAYER_TEXT_MAX * 2];
        struct layers l = { 0 };

        layers_set(&l, LAYER_DAC, LAYER_SHUT, "a\nb\033c\xff");
        assert_string_equal(l.at[LAYER_DAC].text, "a?b?c?");
        memset(text, 'x', sizeof(text));
        text[sizeof(text) - 1] = '\0';
        (void) memcpy(text + LAYER_TEXT_MAX - 1, "\xc3\xa4", 2);
        layers_set(&l, LAYER_DAC, LAYER_SHUT, "%s", text);
        assert_int_equal(strlen(l.at[LAYER_DAC].text), LAYER_TEXT_MAX - 1);
}

static void test_layer_names(void **state)
{
        assert_string_equal(layer_to_string(LAYER_NAMESPACE), "namespace");
        assert_string_equal(layer_to_string(LAYER_CGROUP), "cgroup");
        assert_string_equal(layer_state_to_string(LAYER_UNKNOWN), "unknown");
        assert_string_equal(layer_state_to_string(LAYER_SHUT), "shut");
}

/* --- records ------------------------------------------------------------------------- */

static struct grant_record example(const char *domain)
{
        struct grant_record r = {
                .uuid = UUID,
                .domain = xstrdup(domain),
                .pid = 4242,
                .start_time = UINT64_MAX,
                .node = { .path = "/dev/input/event5", .device = makedev(13, 69), .input = 12, .guest = "win" },
                .profile = "libvirt-" UUID,
                .dev = GRANT_DEV_OWN,
        };

        cgroup_plan_add(&r.cgroup, "/machine.slice/machine-qemu\\x2d1.scope/libvirt", 17, 0);
        cgroup_plan_add(&r.cgroup, "/machine.slice/a b", UINT32_MAX, 0x20002);
        return r;
}

static void check_round_trip(const char *domain)
{
        _cleanup_(grant_record_clear) struct grant_record r = example(domain), got = { 0 };

        assert_int_equal(grant_record_write(records, &r), 0);
        assert_int_equal(grant_record_read(records, NAME, &got), 0);
        assert_string_equal(got.uuid, UUID);
        assert_string_equal(got.domain, domain);
        assert_true(grant_record_is_of_same(&r, &got));
        assert_string_equal(got.node.path, r.node.path);
        assert_int_equal(got.node.device, r.node.device);
        assert_int_equal(got.node.input, 12);
        assert_string_equal(got.node.guest, "win");
        assert_string_equal(got.profile, r.profile);
        assert_int_equal(got.dev, GRANT_DEV_OWN);
        assert_false(got.cgroup.is_v1);
        assert_int_equal(got.cgroup.n, 2);
        assert_string_equal(got.cgroup.entries[0].group, r.cgroup.entries[0].group);
        assert_int_equal(got.cgroup.entries[0].map, 17);
        assert_int_equal(got.cgroup.entries[0].previous, 0);
        assert_string_equal(got.cgroup.entries[1].group, "/machine.slice/a b");
        assert_int_equal(got.cgroup.entries[1].map, UINT32_MAX);
        assert_int_equal(got.cgroup.entries[1].previous, 0x20002);
}

static void test_round_trip(void **state)
{
        struct stat st;

        check_round_trip("win10");
        check_round_trip("");
        check_round_trip("100% \"odd\" = n\nuuid=x\n\t\x7f \xc3\xa4");
        assert_int_equal(fstatat(records, NAME, &st, 0), 0);
        assert_int_equal(st.st_mode, S_IFREG | 0600);
        assert_int_equal(grant_record_remove(records, NAME), 0);
        assert_int_equal(grant_record_remove(records, NAME), 0);
}

static void put(const char *name, const char *text, size_t size)
{
        int fd = openat(records, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, size), size);
        (void) close(fd);
}

static char *take_text(void)
{
        _cleanup_(grant_record_clear) struct grant_record r = example("win10");
        char *text = xnew0(char, 4096);
        int fd;

        assert_int_equal(grant_record_write(records, &r), 0);
        fd = openat(records, NAME, O_RDONLY | O_CLOEXEC);
        assert_true(read(fd, text, 4095) > 0);
        (void) close(fd);
        return text;
}

static int read_back(void)
{
        _cleanup_(grant_record_clear) struct grant_record got = { 0 };

        return grant_record_read(records, NAME, &got);
}

static void test_truncated(void **state)
{
        _autofree_ char *text = take_text();

        for (size_t size = 0; size < strlen(text); size++) {
                put(NAME, text, size);
                assert_int_equal(read_back(), -EBADMSG);
        }
        put(NAME, text, strlen(text));
        assert_int_equal(read_back(), 0);
        put(NAME, text, strlen(text) + 1); /* with the NUL */
        assert_int_equal(read_back(), -EBADMSG);
        strcat(text, "x");
        put(NAME, text, strlen(text));
        assert_int_equal(read_back(), -EBADMSG);
}

/* One line of a good record is another. */
static void check_with(const char *key, const char *line)
{
        _autofree_ char *text = take_text(), *copy = xnew0(char, 8192);
        char *at = strstr(text, key), *end;

        assert_non_null(at);
        end = strchr(at, '\n');
        *at = '\0';
        (void) snprintf(copy, 8192, "%s%s%s", text, line, end);
        put(NAME, copy, strlen(copy));
        assert_int_equal(read_back(), -EBADMSG);
}

static void test_hostile(void **state)
{
        check_with("uuid=", "uuid=11111111-2222-3333-4444-55555555555b"); /* not that of the name */
        check_with("uuid=", "uuid=../../../../../../../etc/shadow/....");
        check_with("uuid=", "unknown=1");
        check_with("uuid=", "no value");
        check_with("domain=", "domain=%zz");
        check_with("domain=", "domain=a%00b");
        check_with("domain=", "domain=%1");
        check_with("pid=", "pid=0");
        check_with("pid=", "pid=-1");
        check_with("pid=", "pid=4294967297");
        check_with("pid=", "pid=1\npid=2");
        check_with("start-time=", "start-time=18446744073709551616");
        check_with("node=", "node=/etc/passwd");
        check_with("node=", "node=/dev/input/event0000000000000000000000000000000000000000000000000000000000");
        check_with("device=", "device=13");
        check_with("device=", "device=13:69x");
        check_with("input=", "input=13"); /* not that of the name */
        check_with("input=", "input=12 ");
        check_with("guest=", "guest=0123456789012345678901234567890123456789");
        check_with("profile=", "profile=..");
        check_with("profile=", "profile=a/b");
        check_with("profile=", "profile=");
        check_with("dev=", "dev=other");
        check_with("cgroup=", "cgroup=3");
        check_with("entry=", "entry=1 0 /machine.slice/../../etc");
        check_with("entry=", "entry=1 0 relative");
        check_with("entry=", "entry=1 0");
        check_with("entry=", "entry=x 0 /a");
        check_with("end=", "end=no");
        check_with("end=yes", "end=yes\nmore=1");
}

static void test_too_many_entries(void **state)
{
        _cleanup_(grant_record_clear) struct grant_record r = example("win10");

        while (r.cgroup.n < CGROUP_ENTRIES_MAX)
                cgroup_plan_add(&r.cgroup, "/a", (uint32_t) r.cgroup.n, 0);
        assert_int_equal(grant_record_write(records, &r), 0);
        assert_int_equal(read_back(), 0);
        cgroup_plan_add(&r.cgroup, "/a", 9999, 0);
        assert_int_equal(grant_record_write(records, &r), 0);
        assert_int_equal(read_back(), -EBADMSG);
}

static void test_no_plain_file(void **state)
{
        assert_int_equal(read_back(), -ENOENT);
        assert_int_equal(mkdirat(records, NAME, 0700), 0);
        assert_int_equal(read_back(), -EBADMSG);
        assert_int_equal(unlinkat(records, NAME, AT_REMOVEDIR), 0);
        assert_int_equal(mkfifoat(records, NAME, 0600), 0);
        assert_int_equal(read_back(), -EBADMSG);
        assert_int_equal(unlinkat(records, NAME, 0), 0);
        assert_int_equal(symlinkat("/dev/zero", records, NAME), 0);
        assert_int_equal(read_back(), -EBADMSG);
        assert_int_equal(unlinkat(records, NAME, 0), 0);
        put(NAME, "uuid=\0\0", 7);
        assert_int_equal(read_back(), -EBADMSG);
}

/* A write that fails, as on a full disk, leaves the record as it was and nothing else. */
static void test_failed_write(void **state)
{
        _cleanup_(grant_record_clear) struct grant_record r = example("win10"), got = { 0 };
        struct rlimit limit, old;
        char **names;
        size_t n;

        assert_int_equal(grant_record_write(records, &r), 0);
        r.pid = 4343;
        (void) getrlimit(RLIMIT_FSIZE, &old);
        limit = (struct rlimit){ .rlim_cur = 100, .rlim_max = old.rlim_max };
        (void) signal(SIGXFSZ, SIG_IGN);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        assert_int_equal(grant_record_write(records, &r), -EFBIG);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
        assert_int_equal(grant_record_read(records, NAME, &got), 0);
        assert_int_equal(got.pid, 4242);
        assert_int_equal(grant_record_list(records, &names, &n), 0);
        assert_int_equal(n, 1);
        assert_string_equal(names[0], NAME);
        grant_record_list_free(names, n);
}

/* --- after a restart ---------------------------------------------------------------------- */

static struct grant *found[4];
static unsigned n_found;

static void on_found(struct grant *g, void *userdata)
{
        assert_true(n_found < ARRAY_SIZE(found));
        found[n_found++] = g;
}

static bool exists(const char *name)
{
        return faccessat(records, name, F_OK, 0) == 0;
}

static void write_record(pid_t pid, uint64_t start_time)
{
        _cleanup_(grant_record_clear) struct grant_record r = example("win10");

        r.pid = pid;
        r.start_time = start_time;
        assert_int_equal(grant_record_write(records, &r), 0);
}

static void load(unsigned expected)
{
        n_found = 0;
        log_set_level(LOG_LEVEL_ERROR); /* that it warns is expected */
        assert_int_equal(grants_load(directory, true, on_found, NULL), 0);
        assert_int_equal(n_found, expected);
}

static void test_load_of_a_dead_process(void **state)
{
        pid_t pid;

        NEED_PIDFD();
        pid = fork();
        if (pid == 0)
                _exit(0);
        (void) waitpid(pid, NULL, 0);
        write_record(pid, 1);
        load(1);
        assert_false(grant_is_alive(found[0]));
        assert_string_equal(grant_uuid(found[0]), UUID);
        assert_string_equal(grant_domain(found[0]), "win10");
        assert_string_equal(grant_path(found[0]), "/dev/vfio-inputd/libvirt-" UUID "/input12");
        assert_string_equal(grant_node(found[0])->path, "/dev/input/event5");
        assert_int_equal(grant_pid(found[0]), pid);
        assert_int_equal(grant_close(found[0]), 0);
        assert_false(exists(NAME));
}

/* Our own number, but the record is about one that had it before. */
static void test_load_of_a_number_used_again(void **state)
{
        NEED_PIDFD();
        write_record(getpid(), 1);
        load(1);
        assert_false(grant_is_alive(found[0]));
        assert_int_equal(grant_close(found[0]), 0);
        assert_false(exists(NAME));
}

static void test_load_of_the_living(void **state)
{
        _cleanup_(process_freep) struct process *self = NULL;
        struct layers layers;

        NEED_PIDFD();
        assert_int_equal(process_pin(getpid(), &self), 0);
        write_record(getpid(), process_start_time(self));
        load(1);
        assert_true(grant_is_alive(found[0]));
        assert_int_equal(grant_check(found[0], &layers), -EACCES);
        assert_int_equal(layers.at[LAYER_NAMESPACE].state, LAYER_SHUT);
        (void) grant_free(found[0]);
        assert_true(exists(NAME));
}

static void test_load_of_rubbish(void **state)
{
        put("README", "hello\n", 6);
        put(".new-" NAME, "uuid=", 5);
        put(NAME, "uuid=", 5);
        load(0);
        assert_false(exists("README"));
        assert_false(exists(".new-" NAME));
        assert_false(exists(NAME));
        load(0);
}

static void test_no_directory(void **state)
{
        assert_int_equal(grants_load("/nonexistent", true, on_found, NULL), -ENOENT);
}

/* The name is another process's record by now: it stays. */
static void test_close_of_what_was_superseded(void **state)
{
        NEED_PIDFD();
        write_record(getpid(), 1);
        load(1);
        write_record(getpid(), 2);
        assert_int_equal(grant_close(found[0]), 0);
        assert_true(exists(NAME));
        load(1);
        assert_int_equal(grant_record_remove(records, NAME), 0);
        assert_int_equal(grant_close(found[0]), 0);
}

#define GRANT_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_layers),
                cmocka_unit_test(test_layer_texts_are_harmless),
                cmocka_unit_test(test_layer_names),
                GRANT_TEST(test_round_trip),
                GRANT_TEST(test_truncated),
                GRANT_TEST(test_hostile),
                GRANT_TEST(test_too_many_entries),
                GRANT_TEST(test_no_plain_file),
                GRANT_TEST(test_failed_write),
                GRANT_TEST(test_load_of_a_dead_process),
                GRANT_TEST(test_load_of_a_number_used_again),
                GRANT_TEST(test_load_of_the_living),
                GRANT_TEST(test_load_of_rubbish),
                GRANT_TEST(test_no_directory),
                GRANT_TEST(test_close_of_what_was_superseded),
        };

        return cmocka_run_group_tests_name("grant", tests, NULL, NULL);
}
