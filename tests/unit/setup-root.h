/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A machine made of files in a temporary folder, for tests of the set-up
 * program. Paths are absolute and of that machine; folders above them are made
 * as needed. Whatever goes wrong fails the test. */

#include <stdint.h>

#include "client/setup/root.h"
#include "common/mem.h"

struct setup_root;

struct setup_root *setup_root_new(void);
/* Removes all of it. */
struct setup_root *setup_root_free(struct setup_root *s);
DEFINE_CLEANUP(struct setup_root *, setup_root_free);

/* The folder, of the machine that runs the test. */
const char *setup_root_path(const struct setup_root *s);
const struct root *setup_root_open(const struct setup_root *s);

void setup_root_folder(struct setup_root *s, const char *path);
/* Replaces a file that is there. */
void setup_root_file(struct setup_root *s, const char *path, const char *text);
void setup_root_bytes(struct setup_root *s, const char *path, const void *data, size_t size);
/* Replaces a link or file that is there. */
void setup_root_link(struct setup_root *s, const char *path, const char *target);
/* Removes a file, a link or a folder with all in it; it may be missing. */
void setup_root_remove(struct setup_root *s, const char *path);

/* --- hardware --------------------------------------------------------------------- */

struct setup_pci {
        const char *address;
        const char *parents; /* of it in /sys/devices/pci0000:00, "" or "/0000:00:01.0" */
        uint32_t class;
        uint16_t vendor, device;
        const char *driver; /* NULL: none */
        int group;          /* negative: none */
        int boot_vga;       /* negative: no such file */
};

/* A function in /sys, with its links to driver and group. */
void setup_root_pci(struct setup_root *s, const struct setup_pci *d);
/* A core's CPUs ("0,8") with its level 3 cache (NULL: none); /sys/…/online is not written. */
void setup_root_core(struct setup_root *s, const char *threads, const char *l3);

/* A desktop on which all is well: AMD, Debian's GRUB and initramfs-tools, the
 * host on 0000:00:02.0, a GPU 0000:0a:00.0 with sound for a guest, the disk of
 * / on 0000:01:00.0, vfio-inputd and libvirt enabled. */
struct setup_root *setup_root_desktop(void);
