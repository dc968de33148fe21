/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* libvirt's domains, of its own driver for tests: it lives inside the process.
 * All connections to test:///default share one set of domains and its events,
 * each of those to test:///FILE has its own. */

#include <dirent.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <libvirt/virterror.h>

#include "common/log.h"
#include "daemon/guest/domains.h"

#define TURN_USEC (60 * 1000 * 1000ULL) /* longer than anything here takes */
#define URI "test:///default"
#define UUID "00000000-0000-4000-8000-00000000000"

struct world {
        sd_event *event;
        struct domains *domains;
        virConnectPtr other; /* somebody else's connection to URI, or NULL */
        unsigned n_changed;
        unsigned n_threads; /* before */
        char folder[32];
        char *path, *uri; /* of a file in it */
};

static unsigned count_threads(void)
{
        DIR *d = opendir("/proc/self/task");
        unsigned n = 0;

        assert_non_null(d);
        while (readdir(d))
                n++;
        (void) closedir(d);
        return n;
}

/* libvirt's event loop is one for the whole process: so is the thread that runs it. */
static void world_disconnect(struct world *w)
{
        w->domains = domains_free(w->domains);
        while (count_threads() > w->n_threads)
                (void) sched_yield();
}

static int set_up(void **state)
{
        struct world *w = xnew0(struct world, 1);

        (void) strcpy(w->folder, "/tmp/domains-XXXXXX");
        assert_non_null(mkdtemp(w->folder));
        w->path = xasprintf("%s/domains.xml", w->folder);
        w->uri = xasprintf("test://%s", w->path);
        w->n_threads = count_threads();
        *state = w;
        return sd_event_new(&w->event);
}

static int tear_down(void **state)
{
        struct world *w = *state;

        if (w->other)
                (void) virConnectClose(w->other);
        world_disconnect(w);
        sd_event_unref(w->event);
        (void) unlink(w->path);
        (void) rmdir(w->folder);
        free(w->path);
        free(w->uri);
        free(w);
        return 0;
}

static void on_changed(void *userdata)
{
        struct world *w = userdata;

        w->n_changed++;
}

static const struct domains_handler handler = { .changed = on_changed };

static void world_connect(struct world *w, const char *uri)
{
        assert_int_equal(domains_new(w->event, uri, &handler, w, &w->domains), 0);
        assert_int_equal(domains_link(w->domains), DOMAINS_UNKNOWN);
        assert_int_equal(domains_count(w->domains), 0);
}

static void turn(struct world *w)
{
        assert_true(sd_event_run(w->event, TURN_USEC) > 0);
}

static void until_link(struct world *w, enum domains_link link)
{
        while (domains_link(w->domains) != link)
                turn(w);
}

static const struct domain *until_state(struct world *w, const char *name, enum domain_state state)
{
        const struct domain *d;

        while (!(d = domains_find(w->domains, name)) || d->state != state)
                turn(w);
        return d;
}

static void write_file(const struct world *w, const char *text)
{
        FILE *f = fopen(w->path, "we");

        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
}

#define RUN_STATE(state)                                                                           \
        "<test:runstate xmlns:test='http://libvirt.org/schemas/domain/test/1.0'>" state "</test:runstate>"

#define DOMAIN(name, number, more)                                                                 \
        "<domain type='test'><name>" name "</name><uuid>" UUID number "</uuid><memory>1024</memory>" \
        "<os><type>hvm</type></os>" more "</domain>"

static const char three[] = "<node>" DOMAIN("runs", "1", "") DOMAIN("off", "2", RUN_STATE("5"))
        DOMAIN("paused", "3", RUN_STATE("3")) "</node>";

/* --- connecting --- */

static void test_default(void **state)
{
        struct world *w = *state;
        const struct domain *d;
        char uuid[sizeof(d->xml->uuid)];

        world_connect(w, URI);
        until_link(w, DOMAINS_CONNECTED);
        assert_string_equal(domains_reason(w->domains), "");
        assert_int_equal(domains_count(w->domains), 1);
        d = domains_at(w->domains, 0);
        assert_string_equal(d->xml->name, "test");
        assert_int_equal(d->state, DOMAIN_RUNNING);
        assert_string_equal(d->reason, "");
        assert_int_equal(d->id, 1);
        assert_string_equal(virDomainGetName(d->handle), "test");
        assert_ptr_equal(domains_find(w->domains, "test"), d);
        for (size_t i = 0; i < sizeof(uuid); i++)
                uuid[i] = d->xml->uuid[i] >= 'a' && d->xml->uuid[i] <= 'f' ? (char) (d->xml->uuid[i] - 32)
                                                                           : d->xml->uuid[i];
        assert_string_not_equal(uuid, d->xml->uuid);
        assert_ptr_equal(domains_find(w->domains, uuid), d);
        assert_null(domains_find(w->domains, "Test"));
        assert_null(domains_find(w->domains, ""));
        assert_true(w->n_changed > 0);
}

static void test_states(void **state)
{
        struct world *w = *state;
        const struct domain *d;

        write_file(w, three);
        world_connect(w, w->uri);
        until_link(w, DOMAINS_CONNECTED);
        assert_int_equal(w->n_changed, 1); /* not for each: who sees some of them must not think it is all */
        assert_int_equal(domains_count(w->domains), 3);
        d = domains_find(w->domains, "runs");
        assert_int_equal(d->state, DOMAIN_RUNNING);
        assert_true(d->id >= 0);
        d = domains_find(w->domains, UUID "2");
        assert_string_equal(d->xml->name, "off");
        assert_int_equal(d->state, DOMAIN_OFF);
        assert_int_equal(d->id, -1);
        assert_string_equal(d->reason, "the domain is not running");
        d = domains_find(w->domains, "paused");
        assert_int_equal(d->state, DOMAIN_STOPPED);
        assert_true(d->id >= 0);
        assert_string_equal(d->reason, "the guest is paused");
}

static void test_no_domain_at_all(void **state)
{
        struct world *w = *state;

        write_file(w, "<node/>");
        world_connect(w, w->uri);
        until_link(w, DOMAINS_CONNECTED);
        assert_int_equal(domains_count(w->domains), 0);
}

/* --- what others do --- */

static virDomainPtr define(struct world *w, const char *xml)
{
        virDomainPtr d = virDomainDefineXML(w->other, xml);

        assert_non_null(d);
        return d;
}

static void connect_both(struct world *w)
{
        world_connect(w, URI);
        until_link(w, DOMAINS_CONNECTED);
        w->other = virConnectOpen(URI);
        assert_non_null(w->other);
}

static void test_life(void **state)
{
        struct world *w = *state;
        const struct domain *d;
        virDomainPtr domain;
        int id;

        connect_both(w);
        domain = define(w, DOMAIN("win", "a", ""));
        d = until_state(w, "win", DOMAIN_OFF);
        assert_int_equal(d->id, -1);
        assert_int_equal(virDomainCreate(domain), 0);
        id = until_state(w, "win", DOMAIN_RUNNING)->id;
        assert_int_equal(id, virDomainGetID(domain));
        assert_int_equal(virDomainSuspend(domain), 0);
        d = until_state(w, UUID "a", DOMAIN_STOPPED);
        assert_string_equal(d->reason, "the guest is paused");
        assert_int_equal(d->id, id);
        assert_int_equal(virDomainResume(domain), 0);
        assert_int_equal(until_state(w, "win", DOMAIN_RUNNING)->id, id);
        assert_int_equal(virDomainDestroy(domain), 0);
        assert_string_equal(until_state(w, "win", DOMAIN_OFF)->reason, "the domain is not running");
        assert_int_equal(virDomainCreate(domain), 0);
        assert_int_not_equal(until_state(w, "win", DOMAIN_RUNNING)->id, id);
        assert_int_equal(virDomainShutdown(domain), 0);
        (void) until_state(w, "win", DOMAIN_OFF);
        assert_int_equal(domains_count(w->domains), 2);
        assert_int_equal(virDomainUndefine(domain), 0);
        while (domains_find(w->domains, "win"))
                turn(w);
        assert_int_equal(domains_count(w->domains), 1);
        (void) virDomainFree(domain);
}

/* One that is not defined is gone when it stops. */
static void test_transient(void **state)
{
        struct world *w = *state;
        virDomainPtr domain;

        connect_both(w);
        domain = virDomainCreateXML(w->other, DOMAIN("short", "b", ""), 0);
        assert_non_null(domain);
        (void) until_state(w, "short", DOMAIN_RUNNING);
        assert_int_equal(virDomainDestroy(domain), 0);
        while (domains_find(w->domains, "short"))
                turn(w);
        (void) virDomainFree(domain);
}

static void test_metadata(void **state)
{
        struct world *w = *state;
        virDomainPtr domain;
        int r;

        connect_both(w);
        domain = define(w, DOMAIN("win", "c", ""));
        assert_false(until_state(w, "win", DOMAIN_OFF)->xml->metadata.present);
        r = virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, "<guest adopt='yes' name='desk'/>", "vfio",
                                 DOMAIN_METADATA_URI, VIR_DOMAIN_AFFECT_CONFIG);
        assert_int_equal(r, 0);
        while (!domains_find(w->domains, "win")->xml->metadata.present)
                turn(w);
        assert_int_equal(domains_find(w->domains, "win")->xml->metadata.adopt, DOMAIN_ADOPT_YES);
        assert_string_equal(domains_find(w->domains, "win")->xml->metadata.guest.name, "desk");
        assert_int_equal(virDomainUndefine(domain), 0);
        (void) virDomainFree(domain);
}

/* Defined anew under the same UUID: one domain, which has changed. */
static void test_redefined(void **state)
{
        struct world *w = *state;
        virDomainPtr domain;

        connect_both(w);
        domain = define(w, DOMAIN("win", "d", ""));
        (void) until_state(w, "win", DOMAIN_OFF);
        (void) virDomainFree(domain);
        domain = define(w, DOMAIN("win", "d", "<devices><hostdev mode='subsystem' type='pci' managed='yes'><source>"
                                              "<address domain='0' bus='1' slot='0' function='0'/></source></hostdev>"
                                              "</devices>"));
        while (!domains_find(w->domains, "win")->xml->has_pci_hostdev)
                turn(w);
        assert_int_equal(domains_count(w->domains), 2);
        assert_int_equal(virDomainUndefine(domain), 0);
        (void) virDomainFree(domain);
}

/* --- connections that fail, and others --- */

static void test_failing(void **state)
{
        struct world *w = *state;
        unsigned n;

        world_connect(w, w->uri);
        until_link(w, DOMAINS_FAILED);
        assert_non_null(strstr(domains_reason(w->domains), w->path));
        assert_int_equal(domains_count(w->domains), 0);
        n = w->n_changed;
        write_file(w, three);
        until_link(w, DOMAINS_CONNECTED); /* by itself, after a second */
        assert_string_equal(domains_reason(w->domains), "");
        assert_int_equal(domains_count(w->domains), 3);
        assert_true(w->n_changed > n);
}

static void test_nonsense(void **state)
{
        struct world *w = *state;

        world_connect(w, "nonsense:///");
        until_link(w, DOMAINS_FAILED);
        assert_string_not_equal(domains_reason(w->domains), "");
        domains_set_uri(w->domains, "");
        domains_set_uri(w->domains, URI); /* both at once: the last one counts */
        until_link(w, DOMAINS_CONNECTED);
        assert_non_null(domains_find(w->domains, "test"));
}

static void test_another_uri(void **state)
{
        struct world *w = *state;
        unsigned generation;

        write_file(w, three);
        world_connect(w, URI);
        until_link(w, DOMAINS_CONNECTED);
        generation = domains_at(w->domains, 0)->generation;
        domains_set_uri(w->domains, URI); /* nothing happens */
        domains_set_uri(w->domains, w->uri);
        while (domains_find(w->domains, "test"))
                turn(w);
        assert_int_equal(domains_link(w->domains), DOMAINS_CONNECTED);
        assert_int_equal(domains_count(w->domains), 3);
        for (unsigned i = 0; i < 3; i++)
                assert_int_equal(domains_at(w->domains, i)->generation, generation + 1);
}

/* What was known stays until there is a connection again, and is then as that says. */
static void test_fails_and_is_back(void **state)
{
        struct world *w = *state;

        write_file(w, three);
        world_connect(w, w->uri);
        until_link(w, DOMAINS_CONNECTED);
        domains_set_uri(w->domains, "test:///nonexistent/file.xml");
        until_link(w, DOMAINS_FAILED);
        assert_int_equal(domains_count(w->domains), 3);
        assert_int_equal(domains_find(w->domains, "runs")->state, DOMAIN_RUNNING);
        write_file(w, "<node>" DOMAIN("runs", "1", RUN_STATE("5")) DOMAIN("new", "4", "") "</node>");
        domains_set_uri(w->domains, w->uri);
        until_link(w, DOMAINS_CONNECTED);
        assert_int_equal(domains_count(w->domains), 2);
        assert_int_equal(domains_find(w->domains, "runs")->state, DOMAIN_OFF);
        assert_non_null(domains_find(w->domains, "new"));
}

/* Only a machine without libvirt can show this. */
static void test_absent(void **state)
{
        struct world *w = *state;

        if (access("/run/libvirt/libvirt-sock", F_OK) >= 0 || access("/run/libvirt/virtqemud-sock", F_OK) >= 0)
                skip();
        world_connect(w, "qemu:///system");
        until_link(w, DOMAINS_ABSENT);
        assert_non_null(strstr(domains_reason(w->domains), "not running"));
}

/* --- the end --- */

/* At any moment: before the thread has begun, while it connects, with letters on their way. */
static void test_freed_at_any_moment(void **state)
{
        struct world *w = *state;

        assert_null(domains_free(NULL));
        write_file(w, three);
        for (unsigned i = 0; i < 20; i++) {
                world_connect(w, w->uri);
                for (unsigned k = 0; k < i % 5; k++)
                        turn(w);
                world_disconnect(w);
        }
}

/* A handle that somebody still has outlives it all. */
static void test_handle_outlives(void **state)
{
        struct world *w = *state;
        virDomainPtr handle;

        write_file(w, three);
        world_connect(w, w->uri);
        until_link(w, DOMAINS_CONNECTED);
        handle = domains_find(w->domains, "runs")->handle;
        assert_int_equal(virDomainRef(handle), 0);
        domains_set_uri(w->domains, URI);
        while (!domains_find(w->domains, "test"))
                turn(w);
        world_disconnect(w);
        assert_string_equal(virDomainGetName(handle), "runs");
        assert_int_equal(virDomainIsActive(handle), 1);
        assert_int_equal(virDomainFree(handle), 0);
}

#define world_test(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                world_test(test_default),
                world_test(test_states),
                world_test(test_no_domain_at_all),
                world_test(test_life),
                world_test(test_transient),
                world_test(test_metadata),
                world_test(test_redefined),
                world_test(test_failing),
                world_test(test_nonsense),
                world_test(test_another_uri),
                world_test(test_fails_and_is_back),
                world_test(test_absent),
                world_test(test_freed_at_any_moment),
                world_test(test_handle_outlives),
        };

        log_set_level(LOG_LEVEL_ERROR);
        return cmocka_run_group_tests_name("domains", tests, NULL, NULL);
}
