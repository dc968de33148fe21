/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The thread that holds the connection to libvirt; see domains.h, whose other
 * half it is. */

#include "daemon/guest/domains.h"

struct domain_watch;

/* All on the event loop. */
struct domain_watch_handler {
        /* DOMAINS_CONNECTED: every domain that exists has been told with this
         * generation before. */
        void (*link)(enum domains_link link, const char *reason, unsigned generation, void *userdata);
        /* There is this domain, and it is like that now; takes it. */
        void (*domain)(struct domain *domain, void *userdata);
        void (*gone)(const char *uuid, void *userdata);
};

int domain_watch_new(sd_event *event, const char *uri, const struct domain_watch_handler *handler, void *userdata,
                     struct domain_watch **ret);
struct domain_watch *domain_watch_free(struct domain_watch *w);
/* Tries to connect now, if it is not connected. */
void domain_watch_retry(struct domain_watch *w);
/* Connects there instead. */
void domain_watch_set_uri(struct domain_watch *w, const char *uri);

struct domain *domain_free(struct domain *d);
DEFINE_CLEANUP(struct domain *, domain_free);
