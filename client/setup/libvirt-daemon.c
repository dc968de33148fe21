/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/libvirt-daemon.h"

#define UNITS "/etc/systemd/system/"

const char *libvirt_daemon_unit(const struct root *r)
{
        _autofree_ char *socket = NULL, *service = NULL;
        bool modular = root_readlink(r, UNITS "sockets.target.wants/virtqemud.socket", &socket) == 0 ||
                       root_readlink(r, UNITS "multi-user.target.wants/virtqemud.service", &service) == 0;

        return modular ? "virtqemud.service" : "libvirtd.service";
}
