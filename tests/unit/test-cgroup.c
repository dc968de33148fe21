/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Device control groups: what /proc says, paths, the values in libvirt's maps,
 * and version 1's files in a directory that looks like its hierarchy. */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cmocka.h>

#include "daemon/guest/cgroup-path.h"
#include "daemon/guest/cgroup-v1.h"
#include "daemon/guest/device-map.h"

#define DEVICE makedev(13, 70)

/* --- /proc/PID/cgroup ------------------------------------------------------------ */

static void check_parse(const char *text, bool is_v1, const char *expected)
{
        _autofree_ char *group = NULL;
        bool v1;

        assert_int_equal(cgroup_parse(text, &v1, &group), 0);
        assert_int_equal(v1, is_v1);
        assert_string_equal(group, expected);
}

static void test_parse(void **state)
{
        check_parse("0::/machine.slice/machine-qemu\\x2d1\\x2dvm.scope/libvirt/emulator\n", false,
                    "/machine.slice/machine-qemu\\x2d1\\x2dvm.scope/libvirt/emulator");
        check_parse("0::/a", false, "/a");
        check_parse("5:devices:/a/b\n1:name=systemd:/c\n0::/d\n", true, "/a/b");
        check_parse("0::/d\n5:devices:/a/b\n", true, "/a/b");
        check_parse("5:cpu,devices,pids:/a\n", true, "/a");
        check_parse("6:mydevices:/x\n5:devices2:/a\n4:dev:/b\n0::/d\n", false, "/d");
        check_parse("0::/with:colon\n", false, "/with:colon");
        check_parse("0::/\n", false, "/");
}

static void test_parse_nonsense(void **state)
{
        static const char *const none[] = { "", "\n", "x", "1:cpu:/a\n", "1:name=systemd:/a\n" };
        static const char *const bad[] = { "0::/../a\n", "0::relative\n", "5:devices:/a/../../b\n", "0::/a//b\n" };
        char *group = NULL;
        bool is_v1;

        for (size_t i = 0; i < ARRAY_SIZE(none); i++)
                assert_int_equal(cgroup_parse(none[i], &is_v1, &group), -ENODATA);
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_int_equal(cgroup_parse(bad[i], &is_v1, &group), -EBADMSG);
        assert_null(group);
}

/* --- paths --------------------------------------------------------------------------- */

static void test_path_cut(void **state)
{
        char path[CGROUP_PATH_MAX + 1];

        assert_true(cgroup_path_cut("/a/bb/c", 1, path));
        assert_string_equal(path, "/a");
        assert_true(cgroup_path_cut("/a/bb/c", 2, path));
        assert_string_equal(path, "/a/bb");
        assert_true(cgroup_path_cut("/a/bb/c", 3, path));
        assert_string_equal(path, "/a/bb/c");
        assert_false(cgroup_path_cut("/a/bb/c", 4, path));
}

static void test_path_validity(void **state)
{
        char path[CGROUP_PATH_MAX + 2];

        assert_true(cgroup_path_is_valid("/a"));
        assert_true(cgroup_path_is_valid("/a.b/..c/d"));
        assert_false(cgroup_path_is_valid(""));
        assert_false(cgroup_path_is_valid("/"));
        assert_false(cgroup_path_is_valid("a"));
        assert_false(cgroup_path_is_valid("/a/"));
        assert_false(cgroup_path_is_valid("/a//b"));
        assert_false(cgroup_path_is_valid("/.."));
        assert_false(cgroup_path_is_valid("/a/../b"));
        assert_false(cgroup_path_is_valid("/a/."));
        memset(path, 'a', sizeof(path));
        path[0] = '/';
        path[sizeof(path) - 1] = '\0';
        assert_int_equal(strlen(path), CGROUP_PATH_MAX + 1);
        assert_false(cgroup_path_is_valid(path));
        path[CGROUP_PATH_MAX] = '\0';
        assert_true(cgroup_path_is_valid(path));
}

/* --- version 2: keys and values as libvirt writes them -------------------------------- */

static void test_map_keys(void **state)
{
        uint64_t keys[DEVICE_KEYS];

        device_map_keys(makedev(13, 300), keys);
        assert_int_equal(keys[0], UINT64_C(0x0000000d0000012c));
        assert_int_equal(keys[1], UINT64_C(0x0000000dffffffff));
        assert_int_equal(keys[2], UINT64_C(0xffffffff0000012c));
        assert_int_equal(keys[3], UINT64_MAX);
}

static void test_map_values(void **state)
{
        assert_int_equal(device_map_widened(0), 0x60002);
        assert_int_equal(device_map_widened(0x10002), 0x70002); /* mknod stays */
        assert_int_equal(device_map_widened(0x20002), 0x60002);
        assert_true(device_map_value_allows(0x60002));
        assert_true(device_map_value_allows(0x70002));
        assert_true(device_map_value_allows(0x7ffff));
        assert_false(device_map_value_allows(0));
        assert_false(device_map_value_allows(0x20002)); /* read only */
        assert_false(device_map_value_allows(0x60001)); /* a block device */
}

static void test_plan(void **state)
{
        _cleanup_(cgroup_plan_clear) struct cgroup_plan plan = { 0 };

        cgroup_plan_add(&plan, "/a", 1, 0);
        cgroup_plan_add(&plan, "/a", 2, 7);
        assert_int_equal(cgroup_plan_find(&plan, "/a", 2)->previous, 7);
        assert_null(cgroup_plan_find(&plan, "/b", 2));
        assert_null(cgroup_plan_find(&plan, "/a", 3));
}

/* --- version 1 ---------------------------------------------------------------------------- */

static void check_list(const char *list, unsigned own, bool all)
{
        bool allows;

        assert_int_equal(cgroup_v1_parse_list(list, DEVICE, &allows), own);
        assert_int_equal(allows, all);
}

static void test_lists(void **state)
{
        check_list("a *:* rwm\n", 0, true);
        check_list("", 0, false);
        check_list("c 136:* rwm\nc 13:70 rw\nc 1:3 rwm\n", DEVICE_RW, true);
        check_list("c 13:70 rwm", DEVICE_RW, true);
        check_list("c 13:70 r\n", DEVICE_READ, false);
        check_list("c 13:70 m\n", 0, false);
        check_list("c 13:* rw\n", 0, true);
        check_list("c *:* m\nc 13:70 w\n", DEVICE_WRITE, false);
        check_list("c 13:7 rwm\nc 13:700 rwm\nc 1:70 rwm\n", 0, false);
        check_list("b 13:70 rwm\n", 0, false);
        check_list("nonsense\nc x:y z\n\n", 0, false);
}

static char directory[32];
static int root = -EBADF;

static void put(const char *path, const char *text)
{
        int fd = openat(root, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, strlen(text)), strlen(text));
        (void) close(fd);
}

static void check_file(const char *path, const char *expected)
{
        char text[256] = "";
        int fd = openat(root, path, O_RDONLY | O_CLOEXEC);

        assert_true(fd >= 0);
        assert_true(read(fd, text, sizeof(text) - 1) >= 0);
        (void) close(fd);
        assert_string_equal(text, expected);
}

static void make_group(const char *path, const char *list)
{
        char file[64];

        assert_int_equal(mkdirat(root, path, 0700), 0);
        (void) snprintf(file, sizeof(file), "%s/devices.list", path);
        put(file, list);
        (void) snprintf(file, sizeof(file), "%s/devices.allow", path);
        put(file, "");
        (void) snprintf(file, sizeof(file), "%s/devices.deny", path);
        put(file, "");
}

static int setup(void **state)
{
        (void) strcpy(directory, "/tmp/test-cgroup-XXXXXX");
        if (!mkdtemp(directory))
                return -1;
        root = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return root < 0 ? -1 : 0;
}

static int teardown(void **state)
{
        char command[64];

        root = safe_close(root);
        (void) snprintf(command, sizeof(command), "rm -rf '%s'", directory);
        return system(command);
}

static void test_v1_from_the_top_down(void **state)
{
        _cleanup_(cgroup_plan_clear) struct cgroup_plan plan = { .is_v1 = true };

        make_group("m", "a *:* rwm\n");
        make_group("m/vm", "c 1:3 rw\nc 13:70 r\n");
        make_group("m/vm/e", "c 1:3 rw\n");
        assert_int_equal(cgroup_v1_plan(root, "/m/vm/e", DEVICE, &plan), 2);
        assert_int_equal(plan.n, 2);
        assert_string_equal(plan.entries[0].group, "/m/vm");
        assert_int_equal(plan.entries[0].previous, DEVICE_READ);
        assert_string_equal(plan.entries[1].group, "/m/vm/e");
        assert_int_equal(plan.entries[1].previous, 0);
        for (size_t i = 0; i < plan.n; i++)
                assert_int_equal(cgroup_v1_apply(root, &plan.entries[i], DEVICE), 0);
        check_file("m/devices.allow", "");
        check_file("m/vm/devices.allow", "c 13:70 w");
        check_file("m/vm/e/devices.allow", "c 13:70 rw");
        for (size_t i = 0; i < plan.n; i++)
                assert_int_equal(cgroup_v1_undo(root, &plan.entries[i], DEVICE), 0);
        check_file("m/vm/devices.deny", "c 13:70 w");
        check_file("m/vm/e/devices.deny", "c 13:70 rw");
}

static void test_v1_nothing_to_do(void **state)
{
        _cleanup_(cgroup_plan_clear) struct cgroup_plan plan = { .is_v1 = true };

        make_group("m", "a *:* rwm\n");
        make_group("m/free", "a *:* rwm\n");
        make_group("m/vm", "c 13:* rwm\n");
        assert_int_equal(cgroup_v1_plan(root, "/m/free", DEVICE, &plan), 0);
        assert_int_equal(cgroup_v1_plan(root, "/m/vm", DEVICE, &plan), 1);
        assert_int_equal(plan.n, 0);
}

static void test_v1_gone(void **state)
{
        struct cgroup_plan plan = { .is_v1 = true };
        struct cgroup_entry entry = { .group = (char *) "/m/vm" };

        assert_int_equal(cgroup_v1_plan(root, "/m/vm", DEVICE, &plan), -ENOENT);
        assert_int_equal(cgroup_v1_undo(root, &entry, DEVICE), -ENOENT);
        assert_int_equal(cgroup_open(root, "/../etc"), -EINVAL);
        assert_int_equal(symlinkat("/etc", root, "link"), 0);
        assert_int_equal(cgroup_open(root, "/link"), -ENOTDIR);
}

#define V1_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_parse),
                cmocka_unit_test(test_parse_nonsense),
                cmocka_unit_test(test_path_cut),
                cmocka_unit_test(test_path_validity),
                cmocka_unit_test(test_map_keys),
                cmocka_unit_test(test_map_values),
                cmocka_unit_test(test_plan),
                cmocka_unit_test(test_lists),
                V1_TEST(test_v1_from_the_top_down),
                V1_TEST(test_v1_nothing_to_do),
                V1_TEST(test_v1_gone),
        };

        return cmocka_run_group_tests_name("cgroup", tests, NULL, NULL);
}
