/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/guest/wanted.h"

#include "common/log.h"

struct search {
        struct wanted *wanted;
        const char *domain;
        wanted_held_fn held;
        void *userdata;
};

const struct wanted_guest *wanted_find(const struct wanted *w, const char *name)
{
        for (unsigned i = 0; i < w->n_guests; i++)
                if (streq(w->guests[i].config.name, name))
                        return &w->guests[i];
        return NULL;
}

static bool is_taken(const char *name, void *userdata)
{
        struct search *s = userdata;

        return wanted_find(s->wanted, name) || s->held(name, s->domain, s->userdata);
}

/* Takes what config owns. */
static void add(struct wanted *w, const struct guest_config *config, bool configured, const char *note)
{
        w->guests = xreallocarray(w->guests, w->n_guests + 1, sizeof(*w->guests));
        w->guests[w->n_guests++] = (struct wanted_guest){
                .config = *config,
                .configured = configured,
                .note = xstrdup(note),
        };
}

static void add_section(struct wanted *w, const struct guest_config *section)
{
        struct guest_config copy;

        guest_config_copy(&copy, section);
        if (!copy.qmp && !copy.domain)
                copy.domain = xstrdup(copy.name);
        add(w, &copy, true, NULL);
}

/* Sections have their places, those whose domains are not there too. */
static bool has_room(const struct wanted *w, const struct config *c, const char *name)
{
        unsigned n = w->n_guests + 1;

        for (unsigned i = 0; i < c->n_guests; i++)
                n += !streq(c->guests[i].name, name) && !wanted_find(w, c->guests[i].name);
        return n <= CONFIG_GUESTS_MAX;
}

static void add_domain(struct wanted *w, const struct config *c, const struct domain *d, struct search *s)
{
        struct guest_config config;
        const char *reason;

        s->domain = d->xml->name;
        if (!adoption_decide(c, d->xml, is_taken, s, &config, &reason)) {
                log_debug("Domain %s is no guest: %s", d->xml->name, reason);
                return;
        }
        if (!has_room(w, c, config.name)) {
                log_warning("Domain %s is no guest: there are %d already", d->xml->name, CONFIG_GUESTS_MAX);
                guest_config_clear(&config);
                return;
        }
        add(w, &config, config_find_guest(c, config.name), reason);
}

static int compare_domains(const void *a, const void *b)
{
        const struct domain *const *x = a, *const *y = b;

        return strcmp((*x)->xml->name, (*y)->xml->name);
}

/* In the order of their names, so that two which want the same name for their
 * guest get the same numbers each time; owned by the caller. */
static const struct domain **sort_domains(const struct domains *domains, unsigned n)
{
        const struct domain **sorted = xcalloc(MAX(n, 1U), sizeof(*sorted));

        for (unsigned i = 0; i < n; i++)
                sorted[i] = domains_at(domains, i);
        qsort(sorted, n, sizeof(*sorted), compare_domains);
        return sorted;
}

struct wanted *wanted_new(const struct config *c, const struct domains *domains, wanted_held_fn held, void *userdata)
{
        struct wanted *w = xnew0(struct wanted, 1);
        struct search s = { .wanted = w, .held = held, .userdata = userdata };
        unsigned n = domains_count(domains);
        _autofree_ const struct domain **sorted = sort_domains(domains, n);

        for (unsigned i = 0; i < c->n_guests; i++)
                if (c->guests[i].qmp)
                        add_section(w, &c->guests[i]);
        /* Of "Win" and "win" the section "win" is about the latter. */
        for (unsigned i = 0; i < n; i++)
                if (config_find_guest(c, sorted[i]->xml->name))
                        add_domain(w, c, sorted[i], &s);
        for (unsigned i = 0; i < n; i++)
                if (!config_find_guest(c, sorted[i]->xml->name))
                        add_domain(w, c, sorted[i], &s);
        for (unsigned i = 0; i < c->n_guests; i++)
                if (!wanted_find(w, c->guests[i].name))
                        add_section(w, &c->guests[i]);
        return w;
}

struct wanted *wanted_free(struct wanted *w)
{
        if (!w)
                return NULL;
        for (unsigned i = 0; i < w->n_guests; i++) {
                guest_config_clear(&w->guests[i].config);
                free(w->guests[i].note);
        }
        free(w->guests);
        free(w);
        return NULL;
}
