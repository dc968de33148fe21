/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/session.h"

#include <stdio.h>

#include "client/setup/plan-json.h"
#include "client/setup/plan-print.h"
#include "client/text.h"

enum exit_code session_open(struct options *o, struct session *ret)
{
        int e;

        *ret = (struct session) { .options = o };
        e = root_open(o->root, &ret->root);
        if (e == 0)
                return EXIT_DONE;
        text_complain("%s cannot be opened: %s", o->root ? o->root : "/", strerror(-e));
        return EXIT_FAILED;
}

/* Kinds are named as "detect" prints them. */
static bool override_bootloader(struct machine *m, const char *name)
{
        for (enum bootloader_kind k = BOOTLOADER_UNKNOWN; k <= BOOTLOADER_NIXOS; k++)
                if (!strcasecmp(bootloader_name(k), name)) {
                        bootloader_choose(m->root, &m->bootloader, k);
                        return true;
                }
        text_complain("--bootloader knows no \"%s\"; \"vfioctl setup detect\" lists the kinds", name);
        return false;
}

static bool override_initramfs(struct machine *m, const char *name)
{
        for (enum initramfs_kind k = INITRAMFS_UNKNOWN; k <= INITRAMFS_BOOSTER; k++)
                if (!strcasecmp(initramfs_name(k), name)) {
                        initramfs_choose(m->root, &m->initramfs, k);
                        return true;
                }
        text_complain("--initramfs knows no \"%s\"; \"vfioctl setup detect\" lists the kinds", name);
        return false;
}

enum exit_code session_look(struct session *s)
{
        const struct choices *c = &s->options->choices;
        int e = s->machine ? 0 : machine_load(s->root, &s->machine);

        if (e < 0) {
                text_complain("The machine cannot be looked at: %s", strerror(-e));
                return EXIT_FAILED;
        }
        if (c->bootloader && !override_bootloader(s->machine, c->bootloader))
                return EXIT_USAGE;
        return c->initramfs && !override_initramfs(s->machine, c->initramfs) ? EXIT_USAGE : EXIT_DONE;
}

enum exit_code session_plan(struct session *s)
{
        _autofree_ char *error = NULL;
        enum exit_code code = session_look(s);
        int e;

        if (code != EXIT_DONE)
                return code;
        e = setup_prepare(s->machine, &s->options->choices, &s->setup, &error);
        if (e == 0)
                e = setup_plan(&s->setup, &s->plan, &error);
        if (e == 0)
                return EXIT_DONE;
        text_complain("%s", error ? error : strerror(-e));
        return EXIT_FAILED;
}

void session_show_plan(const struct session *s)
{
        const struct options *o = s->options;

        if (o->json)
                session_print_json(plan_to_json(&s->plan, PLAN_JSON_SHOW));
        else if (!o->quiet)
                plan_print(&s->plan, &o->choices, stdout);
}

void session_close(struct session *s)
{
        plan_clear(&s->plan);
        setup_clear(&s->setup);
        (void) machine_free(s->machine);
        (void) root_free(s->root);
}

enum exit_code session_store(const struct session *s, bool create, struct store **ret)
{
        int e = store_open(s->root, create, ret);

        if (e == 0 || (e == -ENOENT && !create))
                return EXIT_DONE;
        if (e == -EWOULDBLOCK)
                text_complain("Another \"vfioctl setup\" is at work, or a command that it has started");
        else
                text_complain("%s" STORE_FOLDER ": %s. Nothing was changed", root_path(s->root),
                              e == -EACCES ? "only root may look into it: sudo vfioctl setup …" : strerror(-e));
        return e == -EWOULDBLOCK || e == -EACCES ? EXIT_REFUSED : EXIT_FAILED;
}

/* On a copy of a system, whoever owns it may try everything. */
bool session_may_change(const struct session *s)
{
        if (!root_is_live(s->root) || geteuid() == 0)
                return true;
        text_complain("Only root may do this: sudo vfioctl setup %s …", s->options->verb);
        return false;
}

void session_print_json(json_object *o)
{
        puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
        (void) json_object_put(o);
}
