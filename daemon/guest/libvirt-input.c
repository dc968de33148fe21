/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/guest/libvirt-input.h"

#include <libvirt/virterror.h>

#include "common/text.h"
#include "daemon/guest/route.h"

/* A user's alias must begin with "ua-": docs/formatdomain, "Device aliases". */
const char *libvirt_input_alias(unsigned node)
{
        return node == GUEST_KEYBOARD ? "ua-vfio-inputd-keyboard" : "ua-vfio-inputd-pointer";
}

/* The paths are /dev/input/eventN: nothing in them needs escaping. */
static char *make_xml(unsigned node, const char *path, bool virtio, enum grab_toggle toggle)
{
        if (virtio)
                return xasprintf("<input type='passthrough' bus='virtio'><source evdev='%s'/><alias name='%s'/></input>",
                                 path, libvirt_input_alias(node));
        return xasprintf("<input type='evdev'><source dev='%s' grabToggle='%s' repeat='on'/><alias name='%s'/></input>",
                         path, grab_toggle_to_string(toggle), libvirt_input_alias(node));
}

static int fail(char **ret_error)
{
        int code = virGetLastErrorCode();

        *ret_error = text_printable(virGetLastErrorMessage());
        switch (code) {
        case VIR_ERR_OPERATION_UNSUPPORTED:
        case VIR_ERR_CONFIG_UNSUPPORTED:
        case VIR_ERR_NO_SUPPORT:
                return -EOPNOTSUPP;
        case VIR_ERR_DEVICE_MISSING:
                return -ENODEV;
        default:
                return -EIO;
        }
}

int libvirt_input_attach(virDomainPtr domain, unsigned node, const char *path, bool virtio, enum grab_toggle toggle,
                         char **ret_error)
{
        _autofree_ char *xml = make_xml(node, path, virtio, toggle);

        if (virDomainAttachDeviceFlags(domain, xml, VIR_DOMAIN_AFFECT_LIVE) < 0)
                return fail(ret_error);
        return 0;
}

int libvirt_input_detach(virDomainPtr domain, unsigned node, const char *path, bool virtio, enum grab_toggle toggle,
                         char **ret_error)
{
        _autofree_ char *xml = make_xml(node, path, virtio, toggle);
        int r;

        if (virDomainDetachDeviceFlags(domain, xml, VIR_DOMAIN_AFFECT_LIVE) >= 0)
                return 0;
        r = fail(ret_error);
        if (r != -ENODEV)
                return r;
        free(TAKE_PTR(*ret_error));
        return 0;
}
