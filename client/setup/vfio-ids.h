/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Where vfio-pci is told which devices it takes when it is loaded: on the
 * kernel's command line and in modprobe's folders. */

#include "client/setup/machine.h"

enum vfio_ids_state {
        VFIO_IDS_EFFECTIVE,
        VFIO_IDS_IGNORED_NAME,     /* a file in modprobe.d that does not end in .conf */
        VFIO_IDS_IGNORED_BUILT_IN, /* modprobe.d, but vfio-pci is no module */
};

struct vfio_ids_source {
        char *place; /* a path, or "the kernel command line" */
        char *ids;   /* as written: "10de:1b80,10de:10f0" */
        enum vfio_ids_state state;
        bool on_cmdline;
};

struct vfio_ids {
        struct vfio_ids_source *sources;
        size_t n_sources;
        bool incomplete; /* a file may not be read */
};

int vfio_ids_load(const struct machine *m, struct vfio_ids *ret);
void vfio_ids_clear(struct vfio_ids *v);

/* Whether a list is well-formed: hexadecimal vendor:device, with up to four more fields each. */
bool vfio_ids_are_valid(const char *ids);
/* Whether the list takes that function. */
bool vfio_ids_list_has(const char *ids, const struct pci_device *d);
/* Whether any effective list does. */
bool vfio_ids_take(const struct vfio_ids *v, const struct pci_device *d);
size_t vfio_ids_count(const struct vfio_ids *v, enum vfio_ids_state state);
