/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The list of devices of a control group of version 2 as libvirt keeps it: in
 * the hash map of a BPF program that is attached to the group (its
 * src/util/vircgroupv2devices.c). The bare bpf(2), of which so little is needed. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/mem.h"

/* What may be done with a device: the program's own bits. */
#define DEVICE_MKNOD 1U
#define DEVICE_READ 2U
#define DEVICE_WRITE 4U
#define DEVICE_RW (DEVICE_READ | DEVICE_WRITE)

struct device_map {
        uint32_t id;
        int fd;
};

#define DEVICE_MAPS_MAX 64 /* as many programs as the kernel attaches to one group */

struct device_maps {
        struct device_map at[DEVICE_MAPS_MAX];
        size_t n;
};

/* The maps of the programs attached to the group (a descriptor that can be
 * read). A program without such a map, like systemd's, is somebody else's business. */
int device_maps_open(int group, struct device_maps *ret);
void device_maps_close(struct device_maps *maps);

/* Whether a device may be read and written, be it for an entry with a wildcard;
 * *ret_value gets the value of its own entry, 0 if it has none. */
int device_map_allows(const struct device_map *map, dev_t device, uint32_t *ret_value);
/* Changes the device's entry from one value to another; 0 means no entry.
 * -EEXIST: it has another value by now. -E2BIG: the map is full. */
int device_map_change(const struct device_map *map, dev_t device, uint32_t from, uint32_t to);

/* Of one device, of all with its major, of all with its minor, of all. */
#define DEVICE_KEYS 4
void device_map_keys(dev_t device, uint64_t ret[DEVICE_KEYS]);
/* The value that allows reading and writing a character device, and all that previous did. */
uint32_t device_map_widened(uint32_t previous);
bool device_map_value_allows(uint32_t value);
