/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What every verb of vfioctl gets, and how it ends. */

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

/* Exit status, part of the interface: doc/vfioctl.1.rst. */
enum outcome {
        OUTCOME_OK = 0,
        OUTCOME_FAILED = 1,
        OUTCOME_USAGE = 2,
        OUTCOME_UNREACHABLE = 3, /* no bus, no daemon, or no answer */
        OUTCOME_REFUSED = 4, /* not ready, paused, in use, not authorised */
};

/* The options; each verb says with such a mask which of its own it takes. */
enum option_flag {
        OPTION_JSON = 1 << 0,
        OPTION_NO_ASK_PASSWORD = 1 << 1,
        OPTION_TIMEOUT = 1 << 2,
        OPTION_HELP = 1 << 3,
        OPTION_VERSION = 1 << 4,
        OPTION_IDENTIFY = 1 << 5,
        OPTION_LIST = 1 << 6,
        OPTION_VERBOSE = 1 << 7,
        OPTION_IN_USE = 1 << 8,
};

#define OPTIONS_OF_VERBS (OPTION_IDENTIFY | OPTION_LIST | OPTION_VERBOSE | OPTION_IN_USE)

struct client {
        sd_bus *bus; /* owned; NULL for verbs that need none */
        unsigned options; /* those given */
        uint64_t timeout_usec; /* of --timeout; 0: each call's own */
};

static inline bool client_json(const struct client *c)
{
        return c->options & OPTION_JSON;
}
