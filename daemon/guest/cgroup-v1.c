/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/guest/cgroup-v1.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/sysmacros.h>

#include "daemon/guest/cgroup-path.h"
#include "daemon/guest/device-map.h"

#define LIST_SIZE_MAX 65536U

bool cgroup_v1_is_unlimited(const char *list)
{
        return startswith(list, "a *:* rwm");
}

static bool matches(const char *field, unsigned number)
{
        char text[16];

        (void) snprintf(text, sizeof(text), "%u", number);
        return streq(field, text);
}

static unsigned parse_access(const char *text)
{
        return (strchr(text, 'r') ? DEVICE_READ : 0) | (strchr(text, 'w') ? DEVICE_WRITE : 0);
}

/* Like the kernel, one entry must allow all. */
unsigned cgroup_v1_parse_list(const char *list, dev_t device, bool *ret_all)
{
        unsigned own = 0;

        *ret_all = cgroup_v1_is_unlimited(list);
        for (const char *line = list; *line; line = strchrnul(line, '\n'), line += *line == '\n') {
                char first[16], second[16], access[8];
                bool exact;

                if (sscanf(line, "c %15[0-9*]:%15[0-9*] %7[rwm]", first, second, access) != 3)
                        continue;
                if (!(streq(first, "*") || matches(first, major(device))) ||
                    !(streq(second, "*") || matches(second, minor(device))))
                        continue;
                exact = *first != '*' && *second != '*';
                own |= exact ? parse_access(access) : 0;
                *ret_all = *ret_all || parse_access(access) == DEVICE_RW;
        }
        return own;
}

static int read_list(int root, const char *group, char **ret)
{
        _autofree_ char *text = xnew0(char, LIST_SIZE_MAX + 1);
        _autoclose_ int directory = cgroup_open(root, group), fd = -EBADF;
        size_t size = 0;
        ssize_t n;

        if (directory < 0)
                return directory;
        fd = openat(directory, "devices.list", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
                return -errno;
        while ((n = read(fd, text + size, LIST_SIZE_MAX - size)) > 0)
                size += (size_t) n;
        if (n < 0)
                return -errno;
        *ret = TAKE_PTR(text);
        return size < LIST_SIZE_MAX ? 0 : -EFBIG;
}

int cgroup_v1_plan(int root, const char *group, dev_t device, struct cgroup_plan *plan)
{
        char path[CGROUP_PATH_MAX + 1];
        int lists = 0;

        for (size_t depth = 1; cgroup_path_cut(group, depth, path); depth++) {
                _autofree_ char *list = NULL;
                unsigned own;
                bool all;
                int r;

                r = read_list(root, path, &list);
                if (r < 0)
                        return r;
                own = cgroup_v1_parse_list(list, device, &all);
                if (!all)
                        cgroup_plan_add(plan, path, 0, own);
                lists += !cgroup_v1_is_unlimited(list);
        }
        return lists;
}

static int write_rule(int root, const char *group, const char *file, dev_t device, unsigned access)
{
        _autoclose_ int directory = cgroup_open(root, group), fd = -EBADF;
        char rule[48];
        int n;

        if (directory < 0)
                return directory;
        fd = openat(directory, file, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
                return -errno;
        n = snprintf(rule, sizeof(rule), "c %u:%u %s%s", major(device), minor(device),
                     access & DEVICE_READ ? "r" : "", access & DEVICE_WRITE ? "w" : "");
        return write(fd, rule, (size_t) n) < 0 ? -errno : 0;
}

int cgroup_v1_apply(int root, const struct cgroup_entry *entry, dev_t device)
{
        return write_rule(root, entry->group, "devices.allow", device, DEVICE_RW & ~entry->previous);
}

int cgroup_v1_undo(int root, const struct cgroup_entry *entry, dev_t device)
{
        return write_rule(root, entry->group, "devices.deny", device, DEVICE_RW & ~entry->previous);
}
