/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/guest/cgroup-v2.h"

#include "daemon/guest/cgroup-path.h"
#include "daemon/guest/device-map.h"

static int open_maps(int root, const char *group, struct device_maps *ret)
{
        _autoclose_ int fd = cgroup_open(root, group);

        return fd < 0 ? fd : device_maps_open(fd, ret);
}

static int plan_group(int root, const char *group, dev_t device, struct cgroup_plan *plan)
{
        _cleanup_(device_maps_close) struct device_maps maps = { .n = 0 };
        int r;

        r = open_maps(root, group, &maps);
        if (r < 0)
                return r;
        for (size_t i = 0; i < maps.n; i++) {
                uint32_t value;

                r = device_map_allows(&maps.at[i], device, &value);
                if (r < 0)
                        return r;
                if (r == 0)
                        cgroup_plan_add(plan, group, maps.at[i].id, value);
        }
        return (int) maps.n;
}

int cgroup_v2_plan(int root, const char *group, dev_t device, struct cgroup_plan *plan)
{
        char path[CGROUP_PATH_MAX + 1];
        int lists = 0;

        for (size_t depth = 1; cgroup_path_cut(group, depth, path); depth++) {
                int r = plan_group(root, path, device, plan);

                if (r < 0)
                        return r;
                lists += r;
        }
        return lists;
}

int cgroup_v2_apply(int root, const struct cgroup_entry *entry, dev_t device)
{
        _cleanup_(device_maps_close) struct device_maps maps = { .n = 0 };
        const uint32_t widened = device_map_widened(entry->previous);
        int r;

        r = open_maps(root, entry->group, &maps);
        if (r < 0)
                return r;
        for (size_t i = 0; i < maps.n; i++) {
                if (maps.at[i].id != entry->map)
                        continue;
                r = device_map_change(&maps.at[i], device, entry->previous, widened);
                if (r == -EEXIST) /* done in an earlier life? */
                        r = device_map_change(&maps.at[i], device, widened, widened);
                return r;
        }
        return -ESTALE;
}

int cgroup_v2_undo(int root, const struct cgroup_plan *plan, const struct cgroup_entry *entry, dev_t device)
{
        _cleanup_(device_maps_close) struct device_maps maps = { .n = 0 };
        int r, result = 0;

        r = open_maps(root, entry->group, &maps);
        if (r < 0)
                return r;
        for (size_t i = 0; i < maps.n; i++) {
                if (maps.at[i].id != entry->map && cgroup_plan_find(plan, entry->group, maps.at[i].id))
                        continue;
                r = device_map_change(&maps.at[i], device, device_map_widened(entry->previous), entry->previous);
                if (r < 0 && r != -EEXIST)
                        result = r;
        }
        return result;
}
