/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/guest/device-map.h"

#include <linux/bpf.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#define TYPE_CHARACTER 2U
#define ACCESS_SHIFT 16
#define RW_VALUE (DEVICE_RW << ACCESS_SHIFT | TYPE_CHARACTER)
#define PROGRAM_MAPS_MAX 8

static int call_bpf(int command, union bpf_attr *attributes)
{
        long r = syscall(SYS_bpf, command, attributes, sizeof(*attributes));

        return r < 0 ? -errno : (int) r;
}

static uint64_t pointer(const void *p)
{
        return (uint64_t) (uintptr_t) p;
}

static int query_programs(int group, uint32_t ids[DEVICE_MAPS_MAX], size_t *ret_n)
{
        union bpf_attr a = { 0 };
        int r;

        a.query.target_fd = (uint32_t) group;
        a.query.attach_type = BPF_CGROUP_DEVICE;
        a.query.prog_ids = pointer(ids);
        a.query.prog_cnt = DEVICE_MAPS_MAX;
        r = call_bpf(BPF_PROG_QUERY, &a);
        if (r < 0)
                return r;
        *ret_n = a.query.prog_cnt;
        return 0;
}

static int open_program(uint32_t id)
{
        union bpf_attr a = { 0 };

        a.prog_id = id;
        return call_bpf(BPF_PROG_GET_FD_BY_ID, &a);
}

static int open_map(uint32_t id)
{
        union bpf_attr a = { 0 };

        a.map_id = id;
        return call_bpf(BPF_MAP_GET_FD_BY_ID, &a);
}

static int get_info(int fd, void *info, size_t size)
{
        union bpf_attr a = { 0 };

        a.info.bpf_fd = (uint32_t) fd;
        a.info.info_len = (uint32_t) size;
        a.info.info = pointer(info);
        return call_bpf(BPF_OBJ_GET_INFO_BY_FD, &a);
}

static int program_maps(uint32_t program, uint32_t ids[PROGRAM_MAPS_MAX], size_t *ret_n)
{
        struct bpf_prog_info info = { .nr_map_ids = PROGRAM_MAPS_MAX, .map_ids = pointer(ids) };
        _autoclose_ int fd = open_program(program);
        int r;

        if (fd < 0)
                return fd;
        r = get_info(fd, &info, sizeof(info));
        if (r < 0)
                return r;
        *ret_n = MIN(info.nr_map_ids, (uint32_t) PROGRAM_MAPS_MAX);
        return 0;
}

/* A descriptor, or -ENOENT if that map is no list of devices. */
static int open_device_map(uint32_t id)
{
        struct bpf_map_info info = { 0 };
        _autoclose_ int fd = open_map(id);
        int r;

        if (fd < 0)
                return fd;
        r = get_info(fd, &info, sizeof(info));
        if (r < 0)
                return r;
        if (info.type != BPF_MAP_TYPE_HASH || info.key_size != sizeof(uint64_t) || info.value_size != sizeof(uint32_t))
                return -ENOENT;
        return TAKE_FD(fd);
}

static int add_maps_of(uint32_t program, struct device_maps *maps)
{
        uint32_t ids[PROGRAM_MAPS_MAX];
        size_t n;
        int r;

        r = program_maps(program, ids, &n);
        if (r < 0)
                return r == -ENOENT ? 0 : r; /* it was replaced meanwhile */
        for (size_t i = 0; i < n && maps->n < DEVICE_MAPS_MAX; i++) {
                int fd = open_device_map(ids[i]);

                if (fd >= 0)
                        maps->at[maps->n++] = (struct device_map){ .id = ids[i], .fd = fd };
                else if (fd != -ENOENT)
                        return fd;
        }
        return 0;
}

int device_maps_open(int group, struct device_maps *ret)
{
        uint32_t programs[DEVICE_MAPS_MAX];
        size_t n;
        int r;

        ret->n = 0;
        r = query_programs(group, programs, &n);
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = add_maps_of(programs[i], ret);
        if (r < 0)
                device_maps_close(ret);
        return MIN(r, 0);
}

void device_maps_close(struct device_maps *maps)
{
        for (size_t i = 0; i < maps->n; i++)
                (void) safe_close(maps->at[i].fd);
        maps->n = 0;
}

static int look_up(const struct device_map *map, uint64_t key, uint32_t *ret)
{
        union bpf_attr a = { 0 };
        int r;

        a.map_fd = (uint32_t) map->fd;
        a.key = pointer(&key);
        a.value = pointer(ret);
        r = call_bpf(BPF_MAP_LOOKUP_ELEM, &a);
        if (r == -ENOENT)
                *ret = 0;
        return r == -ENOENT ? 0 : r;
}

int device_map_allows(const struct device_map *map, dev_t device, uint32_t *ret_value)
{
        uint64_t keys[DEVICE_KEYS];
        bool allowed = false;

        device_map_keys(device, keys);
        for (size_t i = 0; i < DEVICE_KEYS; i++) {
                uint32_t value;
                int r = look_up(map, keys[i], &value);

                if (r < 0)
                        return r;
                if (i == 0)
                        *ret_value = value;
                allowed = allowed || device_map_value_allows(value);
        }
        return allowed;
}

static int update(const struct device_map *map, uint64_t key, uint32_t value, uint64_t flags)
{
        union bpf_attr a = { 0 };

        a.map_fd = (uint32_t) map->fd;
        a.key = pointer(&key);
        a.value = pointer(&value);
        a.flags = flags;
        return call_bpf(BPF_MAP_UPDATE_ELEM, &a);
}

static int delete(const struct device_map *map, uint64_t key)
{
        union bpf_attr a = { 0 };

        a.map_fd = (uint32_t) map->fd;
        a.key = pointer(&key);
        return call_bpf(BPF_MAP_DELETE_ELEM, &a);
}

int device_map_change(const struct device_map *map, dev_t device, uint32_t from, uint32_t to)
{
        uint64_t keys[DEVICE_KEYS];
        uint32_t now;
        int r;

        device_map_keys(device, keys);
        r = look_up(map, keys[0], &now);
        if (r < 0)
                return r;
        if (now != from)
                return -EEXIST;
        if (from == to)
                return 0;
        if (to == 0)
                return delete(map, keys[0]);
        return update(map, keys[0], to, from == 0 ? BPF_NOEXIST : BPF_EXIST);
}

void device_map_keys(dev_t device, uint64_t ret[DEVICE_KEYS])
{
        const uint64_t high = (uint64_t) major(device) << 32, low = minor(device), any = UINT32_MAX;

        ret[0] = high | low;
        ret[1] = high | any;
        ret[2] = any << 32 | low;
        ret[3] = any << 32 | any;
}

uint32_t device_map_widened(uint32_t previous)
{
        return previous | RW_VALUE;
}

bool device_map_value_allows(uint32_t value)
{
        return (value & RW_VALUE) == RW_VALUE;
}
