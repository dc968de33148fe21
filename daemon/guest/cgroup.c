/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/guest/cgroup.h"

#include <fcntl.h>
#include <sys/sysmacros.h>

#include "daemon/guest/cgroup-v1.h"
#include "daemon/guest/cgroup-v2.h"

#define HIERARCHY_V1 "/sys/fs/cgroup/devices"
#define HIERARCHY_V2 "/sys/fs/cgroup"

void cgroup_plan_clear(struct cgroup_plan *plan)
{
        for (size_t i = 0; i < plan->n; i++)
                free(plan->entries[i].group);
        free(plan->entries);
        *plan = (struct cgroup_plan){ 0 };
}

void cgroup_plan_add(struct cgroup_plan *plan, const char *group, uint32_t map, uint32_t previous)
{
        plan->entries = xreallocarray(plan->entries, plan->n + 1, sizeof(*plan->entries));
        plan->entries[plan->n++] = (struct cgroup_entry){ xstrdup(group), map, previous };
}

const struct cgroup_entry *cgroup_plan_find(const struct cgroup_plan *plan, const char *group, uint32_t map)
{
        for (size_t i = 0; i < plan->n; i++)
                if (plan->entries[i].map == map && streq(plan->entries[i].group, group))
                        return &plan->entries[i];
        return NULL;
}

static bool has_devices(const char *controllers, const char *end)
{
        static const char name[] = "devices";

        while (controllers < end) {
                const char *comma = memchr(controllers, ',', (size_t) (end - controllers));
                size_t length = (size_t) ((comma ? comma : end) - controllers);

                if (length == strlen(name) && strncmp(controllers, name, length) == 0)
                        return true;
                controllers += length + 1;
        }
        return false;
}

/* One line, NUMBER:CONTROLLERS:PATH. True if that is the one that counts: version
 * 1 where it has the controller, whatever else there is. */
static bool parse_line(const char *line, size_t length, bool *ret_is_v1, char **ret_group)
{
        const char *controllers = memchr(line, ':', length), *path;

        if (!controllers++)
                return false;
        path = memchr(controllers, ':', length - (size_t) (controllers - line));
        if (!path)
                return false;
        *ret_is_v1 = has_devices(controllers, path);
        if (!*ret_is_v1 && (*ret_group || path != controllers))
                return false;
        free(*ret_group);
        *ret_group = xasprintf("%.*s", (int) (length - (size_t) (path + 1 - line)), path + 1);
        return *ret_is_v1;
}

int cgroup_parse(const char *text, bool *ret_is_v1, char **ret_group)
{
        _autofree_ char *group = NULL;
        bool found = false, is_v1 = false;

        while (*text && !found) {
                size_t length = (size_t) (strchrnul(text, '\n') - text);

                found = parse_line(text, length, &is_v1, &group);
                text += length + (text[length] == '\n');
        }
        if (!group)
                return -ENODATA;
        if (!streq(group, "/") && !cgroup_path_is_valid(group))
                return -EBADMSG;
        *ret_is_v1 = is_v1;
        *ret_group = TAKE_PTR(group);
        return 0;
}

static int open_hierarchy(bool is_v1)
{
        int fd = open(is_v1 ? HIERARCHY_V1 : HIERARCHY_V2, O_PATH | O_DIRECTORY | O_CLOEXEC);

        return fd < 0 ? -errno : fd;
}

static int find_group(const struct process *process, bool *ret_is_v1, char **ret_group)
{
        _autofree_ char *text = NULL;
        size_t size;
        int r;

        r = process_read(process, "cgroup", &text, &size);
        return r < 0 ? r : cgroup_parse(text, ret_is_v1, ret_group);
}

int cgroup_plan_make(const struct process *process, dev_t device, struct cgroup_plan *plan)
{
        _autofree_ char *group = NULL;
        _autoclose_ int root = -EBADF;
        int r;

        r = find_group(process, &plan->is_v1, &group);
        if (r == -ENODATA || (r >= 0 && streq(group, "/")))
                return 0;
        if (r < 0)
                return r;
        root = open_hierarchy(plan->is_v1);
        if (root < 0)
                return root;
        return plan->is_v1 ? cgroup_v1_plan(root, group, device, plan) : cgroup_v2_plan(root, group, device, plan);
}

int cgroup_plan_apply(const struct cgroup_plan *plan, dev_t device)
{
        _autoclose_ int root = open_hierarchy(plan->is_v1);
        int r = 0;

        if (root < 0)
                return root;
        for (size_t i = 0; r >= 0 && i < plan->n; i++)
                r = plan->is_v1 ? cgroup_v1_apply(root, &plan->entries[i], device)
                                : cgroup_v2_apply(root, &plan->entries[i], device);
        return r;
}

/* A group that is gone has taken its list along. */
static bool is_gone(int error)
{
        return error == -ENOENT || error == -ENODEV;
}

int cgroup_plan_undo(const struct cgroup_plan *plan, dev_t device)
{
        _autoclose_ int root = -EBADF;
        int r, result = 0;

        if (plan->n == 0)
                return 0;
        root = open_hierarchy(plan->is_v1);
        if (root < 0)
                return root;
        for (size_t i = plan->n; i-- > 0;) {
                r = plan->is_v1 ? cgroup_v1_undo(root, &plan->entries[i], device)
                                : cgroup_v2_undo(root, plan, &plan->entries[i], device);
                if (r < 0 && !is_gone(r))
                        result = r;
        }
        return result;
}

int cgroup_check(const struct process *process, dev_t device, struct layers *layers)
{
        _cleanup_(cgroup_plan_clear) struct cgroup_plan plan = { 0 };
        int r;

        r = cgroup_plan_make(process, device, &plan);
        if (r < 0)
                layers_set(layers, LAYER_CGROUP, LAYER_SHUT, "its device control group cannot be read: %s",
                           strerror(-r));
        else if (r == 0)
                layers_set(layers, LAYER_CGROUP, LAYER_ABSENT, "no device control group confines it");
        else if (plan.n > 0)
                layers_set(layers, LAYER_CGROUP, LAYER_SHUT, "the device %u:%u is not allowed in its control group %s",
                           major(device), minor(device), plan.entries[0].group);
        else
                layers_set(layers, LAYER_CGROUP, LAYER_OPEN, "its control group allows the device %u:%u",
                           major(device), minor(device));
        return r < 0 ? r : plan.n > 0 ? -EACCES : 0;
}
