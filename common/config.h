/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* /etc/vfio-inputd.conf (libconfig), read by both daemons.
 *
 * An absent file is a good configuration: every default. A file with a mistake
 * is none at all: loading fails with a message that names file, line and what
 * was expected, and the caller keeps what it has. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/hotkey.h"
#include "common/mem.h"
#include "common/names.h"

/* The key pairs that QEMU's input-linux can use as its own hotkey and that we
 * can keep from ever being down together on a guest's node. Its scroll-lock
 * choices are not offered: with them QEMU swallows that key.
 * Source: QEMU ui/input-linux.c, qapi GrabToggleKeys. */
enum grab_toggle {
        GRAB_TOGGLE_CTRL_CTRL,
        GRAB_TOGGLE_ALT_ALT,
        GRAB_TOGGLE_SHIFT_SHIFT,
        GRAB_TOGGLE_META_META, /* the default: the pair least missed */
        GRAB_TOGGLE_MAX_,
        GRAB_TOGGLE_INVALID = -EINVAL,
};

/* QEMU's own spelling, "meta-meta". */
const char *grab_toggle_to_string(enum grab_toggle t);
enum grab_toggle grab_toggle_from_string(const char *s);
/* The two KEY_* codes of the pair. */
void grab_toggle_keys(enum grab_toggle t, uint16_t ret[2]);

/* Picks input devices; every field that is set must match. */
struct device_match {
        int vendor, product; /* -1: any */
        char *name; /* fnmatch(3) pattern, or NULL */
        char *phys; /* the same */
};

/* How a guest under libvirt gets its nodes; see daemon/guest/libvirt-route.h. */
enum route_choice {
        ROUTE_AUTO, /* the best that works */
        ROUTE_ATTACH, /* libvirt's hot-attach of <input type='evdev'> and nothing else */
        ROUTE_GRANT, /* our grant and QMP object-add and nothing else */
        ROUTE_VIRTIO, /* virtio-input-host: everything a device can do, given a driver in the guest */
        ROUTE_CHOICE_MAX_,
        ROUTE_CHOICE_INVALID = -EINVAL,
};

/* "auto", "attach", "grant", "virtio". */
const char *route_choice_to_string(enum route_choice c);
enum route_choice route_choice_from_string(const char *s);

struct guest_config {
        char name[TARGET_NAME_MAX + 1];
        char *qmp; /* absolute path of the QMP socket of a QEMU without libvirt, or NULL */
        char *domain; /* name or UUID of the libvirt domain, or NULL: the one of this name, unless qmp is set */
        enum route_choice route; /* for a domain */
        char *user; /* the only user whose QEMU may be behind that socket, or NULL: any */
        struct hotkey toggle; /* the guest's own hotkey; n_keys 0: none */
        enum grab_toggle grab_toggle;
        bool focus_on_start; /* switch to the guest each time its machine has started and reads its nodes */
        unsigned timeout_ms; /* QEMU counts as hung after so long without an answer */
};

/* Which libvirt domains become guests without being named under "guests". */
enum adopt {
        ADOPT_HOSTDEV, /* those with a PCI device passed through */
        ADOPT_ALL,
        ADOPT_NONE,
        ADOPT_MAX_,
        ADOPT_INVALID = -EINVAL,
};

/* "hostdev", "all", "none". */
const char *adopt_to_string(enum adopt a);
enum adopt adopt_from_string(const char *s);

struct libvirt_config {
        char *uri; /* owned; NULL: LIBVIRT_URI_DEFAULT */
        enum adopt adopt;
        /* fnmatch(3) patterns for a domain's name, or its UUID; owned. No "only" means any. */
        char **only;
        unsigned n_only;
        char **ignore;
        unsigned n_ignore;
};

struct config {
        struct hotkey toggle; /* host <-> the guest last used */
        struct hotkey next; /* walks all ready targets; n_keys 0: none */
        struct hotkey host; /* straight to the host; n_keys 0: none */
        unsigned double_tap_ms; /* longest time from the first press to the second */
        unsigned grab_wait_ms; /* longest wait for all keys of a device to be up */

        struct device_match *only; /* if any: no other device is taken */
        unsigned n_only;
        struct device_match *ignore;
        unsigned n_ignore;

        struct libvirt_config libvirt;

        struct guest_config *guests;
        unsigned n_guests;
};

#define LIBVIRT_URI_DEFAULT "qemu:///system"

#define CONFIG_GUESTS_MAX 31 /* with the host as many as a router takes */
#define CONFIG_DOUBLE_TAP_MS_DEFAULT 300
#define CONFIG_GRAB_WAIT_MS_DEFAULT 3000
#define CONFIG_TIMEOUT_MS_DEFAULT 1000
#define CONFIG_TIMEOUT_MS_MIN 100
#define CONFIG_TIMEOUT_MS_MAX 60000

/* The defaults. Owned by the caller. */
struct config *config_new(void);
struct config *config_free(struct config *c);
DEFINE_CLEANUP(struct config *, config_free);

/* Reads path. 0 with *ret owned by the caller (defaults if there is no such
 * file). On a mistake a negative errno with *ret_error, owned by the caller:
 * "FILE:LINE: what is wrong; expected what" (no LINE if the file as a whole is
 * at fault), in one printable line. */
int config_load(const char *path, struct config **ret, char **ret_error);
/* The same for text in memory. name: of the file, for messages. include_dir:
 * where @include looks for files, NULL: it is a mistake. */
int config_parse(const char *text, size_t size, const char *name, const char *include_dir, struct config **ret,
                 char **ret_error);

/* Calls fn for every setting there is. group: "guests", "devices.only"; "" at
 * the top. What the documentation is compared with. */
typedef void (*config_setting_fn)(const char *group, const char *name, void *userdata);
void config_for_each_setting(config_setting_fn fn, void *userdata);

/* The configured guest of that name, or NULL. */
const struct guest_config *config_find_guest(const struct config *c, const char *name);
/* Copies what the struct owns; clear frees it (and nothing else). */
void guest_config_copy(struct guest_config *to, const struct guest_config *from);
void guest_config_clear(struct guest_config *g);
bool guest_config_equal(const struct guest_config *a, const struct guest_config *b);
/* The defaults of every setting; no name. */
void guest_config_init(struct guest_config *g);
/* Name or UUID of its libvirt domain; NULL if it is a QEMU without libvirt. */
const char *guest_config_domain(const struct guest_config *g);
bool guest_config_same_domain(const struct guest_config *a, const struct guest_config *b);
/* A name that may be a target: see TARGET_NAME_MAX; "host" is not. */
bool target_name_is_valid(const char *name);
/* The name of a target made from any text: small letters, what is not allowed
 * becomes "-", at most TARGET_NAME_MAX; "guest" if nothing is left. */
void target_name_make(const char *text, char ret[TARGET_NAME_MAX + 1]);
