/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the person wants, from options and questions. { 0 } is what is planned
 * for somebody who says nothing: the safe answer to everything. */

#include "client/setup/cpu-set.h"
#include "client/setup/words.h"

/* When the GPU leaves the host's driver. */
enum choice_bind {
        BIND_MANAGED, /* when the domain starts, by libvirt: <hostdev managed='yes'> */
        BIND_IDS,     /* at boot, by vendor and device */
        BIND_ADDRESS, /* at boot, by address: for twins */
};

/* What keeps the host off the guest's CPUs. */
enum choice_isolate {
        ISOLATE_NONE,
        ISOLATE_SLICES,   /* AllowedCPUs= of systemd's slices while the guest runs; can be taken back at any time */
        ISOLATE_ISOLCPUS, /* kernel parameters isolcpus, nohz_full, rcu_nocbs: until the next boot */
};

enum choice_graphics {
        GRAPHICS_KEEP,
        GRAPHICS_REMOVE, /* spice, qxl and tablet: only the GPU's own screen is left */
};

struct choices {
        char **gpus;          /* addresses or vendor:device, as given; NULL: the one that is spare */
        enum choice_bind bind;
        bool no_gpu;          /* nothing is passed through: input only */

        char *cpus;           /* "auto", a number, a list "2-7,10-15"; NULL: no pinning */
        enum choice_isolate isolate;

        char *connect;        /* NULL: qemu:///system */
        char *domain;         /* name or UUID; NULL: none is edited */
        bool no_input;        /* leave out our nodes */
        bool hide_kvm;
        enum choice_graphics graphics;

        bool create;          /* make the domain */
        char *medium;         /* of installation, a path on the host */
        unsigned memory_mib, disk_gib; /* 0: default */
        char *disk;           /* path of its disk; NULL: in libvirt's default folder */

        bool ignore_msrs;     /* kvm ignore_msrs=1 */
        bool iommu_pt;
        bool no_framebuffer;  /* initcall_blacklist=sysfb_init */
        bool legacy_input;    /* qemu.conf, AppArmor and the group input, as the guide has them */
        char **legacy_nodes;  /* the input nodes for that */
        bool install_packages;
        bool cleanup;         /* also take out what a guide done by hand has left */

        char *bootloader, *initramfs; /* instead of what is found */
        bool no_rebuild;      /* write files, run no command that rebuilds from them */
        char **accepted;      /* ids of gates that the person opens */
        char **steps;         /* only these; NULL: all */
};

void choices_clear(struct choices *c);
