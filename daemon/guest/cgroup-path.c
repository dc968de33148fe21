/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/guest/cgroup-path.h"

#include <fcntl.h>

/* The kernel makes all that is in there, and no links. */
int cgroup_open(int root, const char *group)
{
        int fd;

        if (!cgroup_path_is_valid(group))
                return -EINVAL;
        fd = openat(root, group + 1, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

bool cgroup_path_cut(const char *group, size_t components, char ret[CGROUP_PATH_MAX + 1])
{
        const char *end = group;

        for (size_t i = 0; i < components; i++) {
                if (!*end)
                        return false;
                end = strchrnul(end + 1, '/');
        }
        memcpy(ret, group, (size_t) (end - group));
        ret[end - group] = '\0';
        return true;
}

static bool is_name(const char *name, size_t length)
{
        return length > 0 && !(length == 1 && name[0] == '.') && !(length == 2 && name[0] == '.' && name[1] == '.');
}

bool cgroup_path_is_valid(const char *path)
{
        if (strlen(path) > CGROUP_PATH_MAX || *path != '/')
                return false;
        while (*path) {
                const char *end = strchrnul(path + 1, '/');

                if (!is_name(path + 1, (size_t) (end - path - 1)))
                        return false;
                path = end;
        }
        return true;
}
