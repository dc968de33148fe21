/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What of a libvirt domain's XML matters to us. Pure: text in, struct out. */

#include <stdbool.h>
#include <stddef.h>

#include "common/config.h"

/* Our element in the domain's <metadata>, so that its settings travel with it:
 *
 *   <guest xmlns='urn:vfio-inputd:guest:1' adopt='yes' name='win' toggle='leftctrl f1'
 *          route='auto' grab-toggle='meta-meta' focus-on-start='no' timeout-ms='1000'/>
 *
 * Every attribute may be missing. */
#define DOMAIN_METADATA_URI "urn:vfio-inputd:guest:1"

enum domain_adopt {
        DOMAIN_ADOPT_BY_RULE, /* no element of ours, or without the attribute */
        DOMAIN_ADOPT_YES,
        DOMAIN_ADOPT_NO,
};

struct domain_metadata {
        enum domain_adopt adopt;
        bool present; /* there is an element of ours */
        /* What the element sets; set_* says which. */
        bool set_name, set_toggle, set_route, set_grab_toggle, set_focus_on_start, set_timeout_ms;
        struct guest_config guest;
        char *error; /* what is wrong with it, fit to be shown; or NULL. Then nothing above is set. */
};

/* An <input> device that names a node of the host. */
struct domain_input {
        char *path;
        bool passthrough; /* type='passthrough', bus='virtio'; otherwise type='evdev' */
        char *alias; /* libvirt's, in the XML of a running domain; or NULL */
        /* QEMU's own hotkey for it; GRAB_TOGGLE_INVALID: one with Scroll Lock. */
        enum grab_toggle grab_toggle;
};

struct domain_xml {
        char *name;
        char uuid[37];
        bool has_pci_hostdev;
        bool is_kvm_or_qemu; /* <domain type='kvm'|'qemu'> */
        struct domain_input *inputs;
        size_t n_inputs;
        struct domain_metadata metadata;
};

/* 0, or negative with what is wrong in *ret_error (owned by the caller). The
 * text comes from whoever may define domains: it may be anything. */
int domain_xml_parse(const char *text, size_t size, struct domain_xml **ret, char **ret_error);
struct domain_xml *domain_xml_free(struct domain_xml *d);
DEFINE_CLEANUP(struct domain_xml *, domain_xml_free);
