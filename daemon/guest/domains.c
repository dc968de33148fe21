/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/guest/domains.h"

#include <stdio.h>
#include <strings.h>

#include "common/log.h"
#include "daemon/guest/domain-watch.h"
#include "daemon/guest/socket-watch.h"

/* Where libvirtd, or virtqemud, listens for qemu:///system. */
static const char *const sockets[] = { "/run/libvirt/libvirt-sock", "/run/libvirt/virtqemud-sock" };

struct domains {
        struct domain_watch *watch; /* owned; the thread */
        struct socket_watch *sockets[ARRAY_SIZE(sockets)]; /* owned; NULL if it cannot be had */
        char *uri;
        enum domains_link link;
        char *reason; /* never NULL */
        struct domain **domains; /* owned */
        unsigned n_domains;
        const struct domains_handler *handler;
        void *userdata;
};

enum domains_link domains_link(const struct domains *d)
{
        return d->link;
}

const char *domains_reason(const struct domains *d)
{
        return d->reason;
}

unsigned domains_count(const struct domains *d)
{
        return d->n_domains;
}

const struct domain *domains_at(const struct domains *d, unsigned i)
{
        return d->domains[i];
}

static struct domain **find_by_uuid(const struct domains *d, const char *uuid)
{
        for (unsigned i = 0; i < d->n_domains; i++)
                if (strcasecmp(d->domains[i]->xml->uuid, uuid) == 0)
                        return &d->domains[i];
        return NULL;
}

const struct domain *domains_find(const struct domains *d, const char *name_or_uuid)
{
        struct domain **found = find_by_uuid(d, name_or_uuid);

        if (found)
                return *found;
        for (unsigned i = 0; i < d->n_domains; i++)
                if (streq(d->domains[i]->xml->name, name_or_uuid))
                        return d->domains[i];
        return NULL;
}

static void clear(struct domains *d)
{
        for (unsigned i = 0; i < d->n_domains; i++)
                domain_free(d->domains[i]);
        d->n_domains = 0;
}

/* Said when it is made, whether or not the domain is a guest: a mistake may be why it is none. */
static void report_mistake(const struct domain_xml *old, const struct domain_xml *new)
{
        if (new->metadata.error && !(old && streq_null(old->metadata.error, new->metadata.error)))
                log_warning("Domain %s: what its metadata say of us is left out: %s", new->name, new->metadata.error);
}

static void take(struct domains *d, struct domain *domain)
{
        struct domain **old = find_by_uuid(d, domain->xml->uuid);

        report_mistake(old ? (*old)->xml : NULL, domain->xml);
        if (old) {
                domain_free(*old);
                *old = domain;
                return;
        }
        d->domains = xreallocarray(d->domains, d->n_domains + 1, sizeof(struct domain *));
        d->domains[d->n_domains++] = domain;
}

/* What is not told by this connection is no more. */
static void drop_others(struct domains *d, unsigned generation)
{
        for (unsigned i = d->n_domains; i > 0; i--) {
                if (d->domains[i - 1]->generation == generation)
                        continue;
                domain_free(d->domains[i - 1]);
                d->domains[i - 1] = d->domains[--d->n_domains];
        }
}

static void on_link(enum domains_link link, const char *reason, unsigned generation, void *userdata)
{
        struct domains *d = userdata;

        if (link == d->link && streq(reason, d->reason) && link != DOMAINS_CONNECTED)
                return;
        if (link == DOMAINS_CONNECTED)
                log_info("Connected to libvirt (%s)", d->uri);
        else if (d->link == DOMAINS_CONNECTED)
                log_warning("libvirt: %s", reason);
        else
                log_info("libvirt: %s", reason);
        if (link == DOMAINS_CONNECTED)
                drop_others(d, generation);
        d->link = link;
        free(d->reason);
        d->reason = xstrdup(reason);
        d->handler->changed(d->userdata);
}

static void on_domain(struct domain *domain, void *userdata)
{
        struct domains *d = userdata;

        take(d, domain);
        if (d->link == DOMAINS_CONNECTED) /* else they are being listed, in any order */
                d->handler->changed(d->userdata);
}

static void on_gone(const char *uuid, void *userdata)
{
        struct domains *d = userdata;
        struct domain **gone = find_by_uuid(d, uuid);

        if (!gone)
                return;
        domain_free(*gone);
        *gone = d->domains[--d->n_domains];
        d->handler->changed(d->userdata);
}

static const struct domain_watch_handler watch_handler = {
        .link = on_link,
        .domain = on_domain,
        .gone = on_gone,
};

static void on_socket(void *userdata)
{
        struct domains *d = userdata;

        domain_watch_retry(d->watch);
}

void domains_set_uri(struct domains *d, const char *uri)
{
        if (streq(d->uri, uri))
                return;
        free(d->uri);
        d->uri = xstrdup(uri);
        domain_watch_set_uri(d->watch, uri);
}

int domains_new(sd_event *event, const char *uri, const struct domains_handler *handler, void *userdata,
                struct domains **ret)
{
        _cleanup_(domains_freep) struct domains *d = xnew0(struct domains, 1);
        int r;

        d->uri = xstrdup(uri);
        d->reason = xstrdup("not connected yet");
        d->handler = handler;
        d->userdata = userdata;
        for (size_t i = 0; i < ARRAY_SIZE(sockets); i++) {
                r = socket_watch_new(event, sockets[i], on_socket, d, &d->sockets[i]);
                if (r < 0)
                        (void) log_warning_errno(r, "Cannot watch for %s, so it is looked for only now", sockets[i]);
        }
        r = domain_watch_new(event, uri, &watch_handler, d, &d->watch);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(d);
        return 0;
}

struct domains *domains_free(struct domains *d)
{
        if (!d)
                return NULL;
        for (size_t i = 0; i < ARRAY_SIZE(sockets); i++)
                socket_watch_free(d->sockets[i]);
        domain_watch_free(d->watch);
        clear(d);
        free(d->domains);
        free(d->reason);
        free(d->uri);
        free(d);
        return NULL;
}
