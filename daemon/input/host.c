/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/input/host.h"

#include <stdio.h>

#include "common/mem.h"
#include "daemon/input/manager.h"

static void host_frame(struct target *t, struct source *s, struct input_event *events, unsigned n)
{
        (void) uinput_write(&device_of_source(s)->mirror, events, n);
}

static void host_enter(struct target *t)
{
        manager_show_leds(CONTAINER_OF(t, struct manager, host));
}

static void host_leave(struct target *t)
{
}

void host_init(struct manager *m)
{
        static const struct target_ops ops = {
                .frame = host_frame,
                .enter = host_enter,
                .leave = host_leave,
        };

        m->host = (struct target) { .ops = &ops, .name = TARGET_HOST, .ready = true };
}
