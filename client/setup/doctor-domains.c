/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/doctor-domains.h"

#include <fcntl.h>
#include <json-c/json.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>

#include "client/setup/domain-store.h"
#include "client/setup/words.h"

#define LONGEST_MS 5000
#define FOLDER "/etc/libvirt/qemu"

static void add(struct doctor_domains *d, const char *name, const char *xml)
{
        d->items = xreallocarray(d->items, d->n_items + 1, sizeof(*d->items));
        d->items[d->n_items++] = (struct doctor_domain) { xstrdup(name), xstrdup(xml) };
}

/* --- in the child ------------------------------------------------------------------------ */

/* {NAME: XML, …}, or a sentence. */
static json_object *ask(const char *uri)
{
        _cleanup_(domain_store_freep) struct domain_store *s = NULL;
        _cleanup_(strv_freep) char **names = NULL;
        _autofree_ char *error = NULL;
        json_object *o;

        if (domain_store_open(uri, &s, &error) < 0 || domain_store_list(s, &names, &error) < 0)
                return json_object_new_string(error ? error : "libvirt cannot be asked");
        o = json_object_new_object();
        for (char **name = names; *name; name++) {
                _autofree_ char *xml = NULL, *ignored = NULL;

                if (domain_store_read(s, *name, &xml, &ignored) == 0)
                        json_object_object_add(o, *name, json_object_new_string(xml));
        }
        return o;
}

static void child(const char *uri, int out) __attribute__((noreturn));
static void child(const char *uri, int out)
{
        json_object *o;

        (void) setenv("LIBVIRT_AUTOSTART", "0", 1);
        o = ask(uri);
        (void) dprintf(out, "%s", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
        _exit(0);
}

/* --- in the parent ------------------------------------------------------------------------- */

static int64_t now_ms(void)
{
        struct timespec t = { 0 };

        (void) clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t) t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Owned by the caller; NULL: it took too long. */
static char *read_until_end(int fd)
{
        int64_t end = now_ms() + LONGEST_MS;
        char *text = xstrdup("");
        char piece[4096];
        ssize_t n;

        for (;;) {
                struct pollfd p = { .fd = fd, .events = POLLIN };
                int64_t left = end - now_ms();
                _autofree_ char *old = NULL;

                if (left <= 0 || poll(&p, 1, (int) left) <= 0)
                        break;
                n = read(fd, piece, sizeof(piece));
                if (n <= 0)
                        return text;
                old = text;
                text = xasprintf("%s%.*s", old, (int) n, piece);
        }
        free(text);
        return NULL;
}

static void take_answer(struct doctor_domains *d, const char *text)
{
        json_object *o = json_tokener_parse(text);

        if (json_object_is_type(o, json_type_object)) {
                json_object_object_foreach(o, name, xml) add(d, name, json_object_get_string(xml));
        } else {
                d->error = xstrdup(o ? json_object_get_string(o) : "libvirt's answer ends too early");
        }
        (void) json_object_put(o);
}

static void load_from_libvirt(struct doctor_domains *d, const char *uri)
{
        _autofree_ char *text = NULL;
        _autoclose_ int in = -EBADF;
        int ends[2];
        pid_t pid;

        if (pipe2(ends, O_CLOEXEC) < 0)
                return;
        in = ends[0];
        pid = fork();
        if (pid == 0)
                child(uri, ends[1]);
        (void) safe_close(ends[1]);
        text = pid < 0 ? NULL : read_until_end(in);
        if (text)
                take_answer(d, text);
        else
                d->error = xasprintf("libvirt gives no answer within %d seconds", LONGEST_MS / 1000);
        if (pid > 0) {
                (void) kill(pid, SIGKILL);
                (void) waitpid(pid, NULL, 0);
        }
}

static void load_from_files(struct doctor_domains *d, const struct root *r)
{
        _cleanup_(strv_freep) char **names = NULL;
        int e = root_list(r, FOLDER, &names);

        if (e == -EACCES)
                d->error = xstrdup(FOLDER ": needs root, as libvirt does not run");
        for (char **name = e < 0 ? NULL : names; name && *name; name++) {
                _autofree_ char *path = xasprintf("%s/%s", FOLDER, *name), *xml = NULL;
                size_t n = strlen(*name);

                if (n < 5 || !streq(*name + n - 4, ".xml") || root_read(r, path, &xml, NULL) < 0)
                        continue;
                (*name)[n - 4] = '\0';
                add(d, *name, xml);
        }
}

struct doctor_domains *doctor_domains_load(const struct root *r, const struct doctor_wish *w)
{
        struct doctor_domains *d = xnew0(struct doctor_domains, 1);
        bool runs = root_is_live(r) && (root_exists(r, "/run/libvirtd.pid") || root_exists(r, "/run/virtqemud.pid"));

        if (w->connect || runs)
                load_from_libvirt(d, w->connect);
        else
                load_from_files(d, r);
        return d;
}

struct doctor_domains *doctor_domains_free(struct doctor_domains *d)
{
        for (size_t i = 0; d && i < d->n_items; i++) {
                free(d->items[i].name);
                free(d->items[i].xml);
        }
        if (d) {
                free(d->items);
                free(d->error);
        }
        free(d);
        return NULL;
}
