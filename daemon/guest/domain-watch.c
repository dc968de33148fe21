/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/guest/domain-watch.h"

#include <libvirt/virterror.h>
#include <pthread.h>
#include <stdio.h>

#include "common/log.h"
#include "common/text.h"
#include "daemon/guest/mailbox.h"

/*
 * The loop of the thread:
 *
 *      libvirt's event loop, one turn (callbacks only note what has happened)
 *      told to stop                    close, end
 *      another URI                     close, connect
 *      connection lost                 close, say so, wait
 *      a try is due                    connect; say so, list everything
 *      domains noted                   look at each of them, tell it
 */

#define RETRY_MIN_MSEC 1000
#define RETRY_MAX_MSEC 30000
#define KEEPALIVE_SECONDS 15
#define KEEPALIVE_TRIES 3U

/* What both threads use. */
struct shared {
        pthread_mutex_t lock;
        bool stop, retry;
        bool lost; /* the connection */
        char *uri; /* a new one, or NULL */
        int timer; /* of libvirt's event loop; also wakes it up */
        struct mailbox *box;
        const struct domain_watch_handler *handler; /* called on the event loop */
        void *userdata;
};

struct domain_watch {
        struct shared *shared;
        struct mailbox *box;
};

struct uuid {
        char text[VIR_UUID_STRING_BUFLEN];
};

/* What only the thread uses. */
struct hub {
        struct shared *shared;
        char *uri;
        virConnectPtr connection; /* or NULL */
        int callbacks[3]; /* ids, -1: none */
        bool due;
        unsigned generation; /* of the connection */
        int delay_msec;
        struct uuid *noted; /* owned; of domains to look at */
        unsigned n_noted;
};

/* --- letters --- */

struct letter {
        struct mail mail;
        struct shared *shared;
        enum domains_link link;
        unsigned generation; /* of link */
        char *text; /* owned; reason of link, or uuid of what is gone */
        struct domain *domain; /* owned */
};

static void letter_drop(struct mail *mail)
{
        struct letter *l = CONTAINER_OF(mail, struct letter, mail);

        (void) domain_free(l->domain);
        free(l->text);
        free(l);
}

static void deliver_link(struct mail *mail)
{
        struct letter *l = CONTAINER_OF(mail, struct letter, mail);

        l->shared->handler->link(l->link, l->text, l->generation, l->shared->userdata);
        letter_drop(mail);
}

static void deliver_domain(struct mail *mail)
{
        struct letter *l = CONTAINER_OF(mail, struct letter, mail);

        l->shared->handler->domain(TAKE_PTR(l->domain), l->shared->userdata);
        letter_drop(mail);
}

static void deliver_gone(struct mail *mail)
{
        struct letter *l = CONTAINER_OF(mail, struct letter, mail);

        l->shared->handler->gone(l->text, l->shared->userdata);
        letter_drop(mail);
}

static void post(struct hub *h, void (*deliver)(struct mail *mail), struct letter content)
{
        struct letter *l = xnew0(struct letter, 1);

        *l = content;
        l->shared = h->shared;
        l->mail = (struct mail){ .deliver = deliver, .drop = letter_drop };
        mailbox_post(h->shared->box, &l->mail);
}

static void post_link(struct hub *h, enum domains_link link, const char *reason)
{
        post(h, deliver_link, (struct letter){ .link = link, .generation = h->generation, .text = text_printable(reason) });
}

/* --- one domain --- */

struct domain *domain_free(struct domain *d)
{
        if (!d)
                return NULL;
        domain_xml_free(d->xml);
        if (d->handle)
                (void) virDomainFree(d->handle);
        free(d);
        return NULL;
}

static const char *paused_text(int reason)
{
        switch (reason) {
        case VIR_DOMAIN_PAUSED_MIGRATION:
        case VIR_DOMAIN_PAUSED_POSTCOPY:
        case VIR_DOMAIN_PAUSED_POSTCOPY_FAILED:
                return "the guest is migrating";
        case VIR_DOMAIN_PAUSED_SAVE:
                return "the guest is being saved";
        case VIR_DOMAIN_PAUSED_DUMP:
                return "the guest is being dumped";
        case VIR_DOMAIN_PAUSED_IOERROR:
                return "the guest is stopped by an I/O error";
        case VIR_DOMAIN_PAUSED_WATCHDOG:
                return "the guest is stopped by its watchdog";
        case VIR_DOMAIN_PAUSED_SHUTTING_DOWN:
                return "the guest is shutting down";
        case VIR_DOMAIN_PAUSED_SNAPSHOT:
        case VIR_DOMAIN_PAUSED_FROM_SNAPSHOT:
                return "a snapshot of the guest is being made";
        case VIR_DOMAIN_PAUSED_CRASHED:
                return "the guest has crashed";
        case VIR_DOMAIN_PAUSED_STARTING_UP:
                return "the guest is starting";
        default: /* by the user, or for reasons of later releases */
                return "the guest is paused";
        }
}

static void read_state(struct domain *d, int state, int reason)
{
        d->state = DOMAIN_STOPPED;
        switch (state) {
        case VIR_DOMAIN_RUNNING:
        case VIR_DOMAIN_BLOCKED:
                d->state = DOMAIN_RUNNING;
                d->reason = "";
                return;
        case VIR_DOMAIN_SHUTOFF:
        case VIR_DOMAIN_NOSTATE:
                d->state = DOMAIN_OFF;
                d->reason = "the domain is not running";
                return;
        case VIR_DOMAIN_PAUSED:
                d->reason = paused_text(reason);
                return;
        case VIR_DOMAIN_SHUTDOWN:
                d->reason = "the guest is shutting down";
                return;
        case VIR_DOMAIN_CRASHED:
                d->reason = "the guest has crashed";
                return;
        case VIR_DOMAIN_PMSUSPENDED:
                d->reason = "the guest is suspended";
                return;
        default:
                d->reason = "the domain is in a state unknown to us";
        }
}

/* 0 with *ret NULL: it is gone. */
static int read_domain(virDomainPtr handle, struct domain **ret)
{
        _cleanup_(domain_freep) struct domain *d = xnew0(struct domain, 1);
        _autofree_ char *xml = NULL, *error = NULL;
        int state, reason, r;

        *ret = NULL;
        /* Before the text: should it start or end in between, an event follows. */
        if (virDomainGetState(handle, &state, &reason, 0) < 0)
                return virGetLastErrorCode() == VIR_ERR_NO_DOMAIN ? 0 : -EIO;
        xml = virDomainGetXMLDesc(handle, 0);
        if (!xml)
                return virGetLastErrorCode() == VIR_ERR_NO_DOMAIN ? 0 : -EIO;
        r = domain_xml_parse(xml, strlen(xml), &d->xml, &error);
        if (r < 0) {
                log_warning("libvirt describes domain %s in a way that we cannot read: %s", virDomainGetName(handle),
                            error ?: strerror(-r));
                return r;
        }
        read_state(d, state, reason);
        d->id = d->state == DOMAIN_OFF ? -1 : (int) virDomainGetID(handle);
        if (virDomainRef(handle) < 0)
                return -EIO;
        d->handle = handle;
        *ret = TAKE_PTR(d);
        return 0;
}

/* Tells how the domain is now, if libvirt says it. The handle of an event has the
 * id of that moment, so another one is fetched. */
static int look_at(struct hub *h, const char *uuid)
{
        virDomainPtr handle = virDomainLookupByUUIDString(h->connection, uuid);
        struct domain *d = NULL;
        bool gone = !handle && virGetLastErrorCode() == VIR_ERR_NO_DOMAIN;
        int r = handle || gone ? 0 : -EIO;

        if (handle) {
                r = read_domain(handle, &d);
                gone = r >= 0 && !d;
                (void) virDomainFree(handle);
        }
        if (d) {
                d->generation = h->generation;
                post(h, deliver_domain, (struct letter){ .domain = d });
        }
        if (gone)
                post(h, deliver_gone, (struct letter){ .text = xstrdup(uuid) });
        return r;
}

static int look_at_noted(struct hub *h)
{
        unsigned n = h->n_noted;
        _autofree_ struct uuid *noted = TAKE_PTR(h->noted);
        int r = 0;

        h->n_noted = 0; /* more may be noted while a call is made */
        for (unsigned i = 0; i < n; i++)
                if (look_at(h, noted[i].text) == -EIO)
                        r = -EIO;
        return r;
}

/* --- callbacks of libvirt's event loop --- */

static void note(struct hub *h, virDomainPtr handle)
{
        struct uuid uuid;

        if (virDomainGetUUIDString(handle, uuid.text) < 0)
                return;
        for (unsigned i = 0; i < h->n_noted; i++)
                if (streq(h->noted[i].text, uuid.text))
                        return;
        h->noted = xreallocarray(h->noted, h->n_noted + 1, sizeof(struct uuid));
        h->noted[h->n_noted++] = uuid;
}

static int on_lifecycle(virConnectPtr connection, virDomainPtr handle, int event, int detail, void *userdata)
{
        note(userdata, handle);
        return 0;
}

static void on_metadata(virConnectPtr connection, virDomainPtr handle, int type, const char *uri, void *userdata)
{
        note(userdata, handle);
}

static void on_device_removed(virConnectPtr connection, virDomainPtr handle, const char *alias, void *userdata)
{
        note(userdata, handle);
}

/* Wakes the thread up. libvirt's default event loop takes this from any thread. */
static void poke(struct shared *s)
{
        if (s->timer >= 0)
                virEventUpdateTimeout(s->timer, 0);
}

static void set_lost(struct shared *s, bool lost)
{
        (void) pthread_mutex_lock(&s->lock);
        s->lost = lost;
        if (lost)
                poke(s);
        (void) pthread_mutex_unlock(&s->lock);
}

static bool is_lost(struct shared *s)
{
        bool lost;

        (void) pthread_mutex_lock(&s->lock);
        lost = s->lost;
        (void) pthread_mutex_unlock(&s->lock);
        return lost;
}

/* Called by whichever thread notices: also by one that waits for the answer to a
 * call. libvirt has taken the socket out of its event loop by then, so that
 * nothing but the poke ends the loop's wait. */
static void on_closed(virConnectPtr connection, int reason, void *userdata)
{
        struct hub *h = userdata;

        set_lost(h->shared, true);
}

static void on_timer(int timer, void *userdata)
{
        struct hub *h = userdata;

        virEventUpdateTimeout(timer, -1);
        h->due = true;
}

/* --- the connection --- */

static void disconnect(struct hub *h)
{
        h->n_noted = 0;
        if (!h->connection)
                return;
        for (size_t i = 0; i < ARRAY_SIZE(h->callbacks); i++)
                if (h->callbacks[i] >= 0)
                        (void) virConnectDomainEventDeregisterAny(h->connection, h->callbacks[i]);
        (void) virConnectUnregisterCloseCallback(h->connection, on_closed);
        (void) virConnectClose(h->connection);
        h->connection = NULL;
}

static const char *last_error(void)
{
        const char *text = virGetLastErrorMessage();

        return text && *text ? text : "it does not say why";
}

/* Whether a connection can be had at all, or is to be had only once there is a
 * socket, for which domains.c watches. */
static bool is_here(const struct hub *h)
{
        if (!streq(h->uri, LIBVIRT_URI_DEFAULT))
                return true;
        return access("/run/libvirt/libvirt-sock", F_OK) >= 0 || access("/run/libvirt/virtqemud-sock", F_OK) >= 0;
}

/* Only the first is needed; older and smaller drivers lack the others. */
static int register_callbacks(struct hub *h)
{
        const struct {
                int id;
                virConnectDomainEventGenericCallback fn;
        } events[ARRAY_SIZE(h->callbacks)] = {
                { VIR_DOMAIN_EVENT_ID_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle) },
                { VIR_DOMAIN_EVENT_ID_METADATA_CHANGE, VIR_DOMAIN_EVENT_CALLBACK(on_metadata) },
                { VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, VIR_DOMAIN_EVENT_CALLBACK(on_device_removed) },
        };

        for (size_t i = 0; i < ARRAY_SIZE(events); i++)
                h->callbacks[i] = virConnectDomainEventRegisterAny(h->connection, NULL, events[i].id, events[i].fn, h,
                                                                   NULL);
        return h->callbacks[0] < 0 ? -EIO : 0;
}

static int try_connect(struct hub *h)
{
        h->connection = virConnectOpen(h->uri);
        if (!h->connection)
                return -EIO;
        /* Drivers inside this process ("test:///") have neither. */
        (void) virConnectSetKeepAlive(h->connection, KEEPALIVE_SECONDS, KEEPALIVE_TRIES);
        (void) virConnectRegisterCloseCallback(h->connection, on_closed, h, NULL);
        return register_callbacks(h);
}

static int list_all(struct hub *h)
{
        virDomainPtr *all;
        int n;

        n = virConnectListAllDomains(h->connection, &all, 0);
        if (n < 0)
                return -EIO;
        for (int i = 0; i < n; i++) {
                note(h, all[i]);
                (void) virDomainFree(all[i]);
        }
        free(all);
        /* Half a list would make an end of the other half. */
        if (look_at_noted(h) < 0)
                return -EIO;
        post_link(h, DOMAINS_CONNECTED, "");
        return 0;
}

static void connect_now(struct hub *h)
{
        h->due = false;
        if (!is_here(h)) {
                post_link(h, DOMAINS_ABSENT, "libvirt's daemon is not running, or libvirt is not installed");
                return;
        }
        set_lost(h->shared, false);
        h->generation++;
        if (try_connect(h) >= 0 && list_all(h) >= 0) {
                h->delay_msec = RETRY_MIN_MSEC;
                return;
        }
        post_link(h, DOMAINS_FAILED, last_error());
        disconnect(h);
        virEventUpdateTimeout(h->shared->timer, h->delay_msec);
        h->delay_msec = MIN(h->delay_msec * 2, RETRY_MAX_MSEC);
}

static void lose(struct hub *h)
{
        disconnect(h);
        set_lost(h->shared, false);
        h->due = false; /* which the poke has made it */
        post_link(h, DOMAINS_FAILED, "the connection to libvirt's daemon is lost");
        virEventUpdateTimeout(h->shared->timer, h->delay_msec);
}

/* What the other thread wants. False: to stop. */
static bool read_wishes(struct hub *h)
{
        struct shared *s = h->shared;
        char *uri;
        bool stop;

        (void) pthread_mutex_lock(&s->lock);
        stop = s->stop;
        uri = TAKE_PTR(s->uri);
        h->due |= s->retry;
        s->retry = false;
        (void) pthread_mutex_unlock(&s->lock);
        if (uri) {
                free(h->uri);
                h->uri = uri;
                disconnect(h);
                h->due = true;
                h->delay_msec = RETRY_MIN_MSEC;
        }
        return !stop;
}

static void shared_free(struct shared *s)
{
        mailbox_leave(s->box);
        (void) pthread_mutex_destroy(&s->lock);
        free(s->uri);
        free(s);
}

static void ignore_error(void *userdata, virErrorPtr error)
{
}

static void *run(void *userdata)
{
        struct hub h = { .shared = userdata, .delay_msec = RETRY_MIN_MSEC, .callbacks = { -1, -1, -1 } };

        virSetErrorFunc(NULL, ignore_error); /* it would write to standard error */
        (void) pthread_mutex_lock(&h.shared->lock);
        h.shared->timer = virEventAddTimeout(0, on_timer, &h, NULL);
        (void) pthread_mutex_unlock(&h.shared->lock);
        while (read_wishes(&h)) {
                if (is_lost(h.shared))
                        lose(&h);
                if (h.due && !h.connection)
                        connect_now(&h);
                if (h.n_noted > 0 && h.connection)
                        (void) look_at_noted(&h);
                if (!is_lost(h.shared) && virEventRunDefaultImpl() < 0) {
                        log_error("libvirt's event loop fails: %s", last_error());
                        _exit(EXIT_FAILURE); /* like a kill: systemd starts us again */
                }
        }
        disconnect(&h);
        (void) virEventRemoveTimeout(h.shared->timer);
        free(h.noted);
        free(h.uri);
        shared_free(h.shared);
        return NULL;
}

/* --- the other side --- */

void domain_watch_retry(struct domain_watch *w)
{
        (void) pthread_mutex_lock(&w->shared->lock);
        w->shared->retry = true;
        poke(w->shared);
        (void) pthread_mutex_unlock(&w->shared->lock);
}

void domain_watch_set_uri(struct domain_watch *w, const char *uri)
{
        (void) pthread_mutex_lock(&w->shared->lock);
        free(w->shared->uri);
        w->shared->uri = xstrdup(uri);
        poke(w->shared);
        (void) pthread_mutex_unlock(&w->shared->lock);
}

struct domain_watch *domain_watch_free(struct domain_watch *w)
{
        if (!w)
                return NULL;
        (void) mailbox_close(w->box);
        (void) pthread_mutex_lock(&w->shared->lock);
        w->shared->stop = true;
        poke(w->shared);
        (void) pthread_mutex_unlock(&w->shared->lock);
        free(w);
        return NULL;
}

int domain_watch_new(sd_event *event, const char *uri, const struct domain_watch_handler *handler, void *userdata,
                     struct domain_watch **ret)
{
        struct shared *s;
        struct mailbox *box;
        pthread_t thread;
        int r;

        if (virInitialize() < 0 || virEventRegisterDefaultImpl() < 0)
                return -ENOSYS;
        r = mailbox_new(event, &box);
        if (r < 0)
                return r;
        s = xnew0(struct shared, 1);
        (void) pthread_mutex_init(&s->lock, NULL);
        s->uri = xstrdup(uri);
        s->box = box;
        s->handler = handler;
        s->userdata = userdata;
        s->timer = -1;
        r = -pthread_create(&thread, NULL, run, s);
        if (r < 0) {
                (void) mailbox_close(box);
                shared_free(s);
                return r;
        }
        (void) pthread_detach(thread);
        *ret = xnew0(struct domain_watch, 1);
        **ret = (struct domain_watch){ .shared = s, .box = box };
        return 0;
}
