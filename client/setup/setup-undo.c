/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/ask.h"
#include "client/setup/session.h"
#include "client/setup/transaction.h"
#include "client/text.h"

static enum exit_code find(struct store *store, const char *id, struct record *ret)
{
        int e = !store ? -ENOENT : id ? store_load(store, id, ret) : store_newest(store, ret);

        if (e == 0 && ret->state == RECORD_UNDONE) {
                text_complain("%s is undone already", ret->id);
                return EXIT_DONE;
        }
        if (e == 0)
                return EXIT_DIFFERS; /* there is something to do */
        if (e == -ENOENT && id)
                text_complain("There is no \"%s\"; see \"vfioctl setup list\"", id);
        else if (e == -ENOENT)
                puts("Nothing to undo.");
        else
                text_complain(STORE_FOLDER ": %s", strerror(-e));
        return e == -ENOENT && !id ? EXIT_DONE : EXIT_FAILED;
}

/* Newer ones may rest on it: their files would be taken for somebody else's. */
static bool is_newest(struct store *store, const struct record *r)
{
        _cleanup_(record_clear) struct record newest = { 0 };

        if (store_newest(store, &newest) < 0 || streq(newest.id, r->id))
                return true;
        text_complain("%s came later and may rest on it: undo that first, or --all", newest.id);
        return false;
}

static enum exit_code undo_one(struct session *s, struct store *store, struct record *r)
{
        const struct options *o = s->options;
        struct transaction_options t = { .no_rebuild = o->choices.no_rebuild, .force = o->force };
        _autofree_ char *error = NULL;

        t.progress = o->quiet ? NULL : stderr;
        t.live = isatty(STDERR_FILENO);
        switch (transaction_undo(store, r, &t, &error)) {
        case TRANSACTION_DONE:
                if (!o->quiet)
                        printf("%s is undone.\n", r->id);
                return EXIT_DONE;
        case TRANSACTION_REFUSED:
                text_complain("%s", error);
                return EXIT_REFUSED;
        case TRANSACTION_FAILED:
        case TRANSACTION_INCOMPLETE:
                text_complain("%s", error);
                return EXIT_INCOMPLETE;
        }
        return EXIT_FAILED;
}

static bool may_undo(const struct options *o, const struct record *r)
{
        _autofree_ char *question = xasprintf("Take back %s?", r->id);

        if (o->yes)
                return true;
        if (o->no_ask || !isatty(STDIN_FILENO)) {
                text_complain("Nobody can be asked: say --yes");
                return false;
        }
        return ask_yes(stdin, stderr, question);
}

static enum exit_code undo_newest(struct session *s, struct store *store, bool *ret_more)
{
        const struct options *o = s->options;
        _cleanup_(record_clear) struct record r = { 0 };
        enum exit_code code = find(store, o->id, &r);

        *ret_more = false;
        if (code != EXIT_DIFFERS)
                return code;
        if (o->dry_run) {
                printf("%s would be undone.\n", r.id);
                return EXIT_DONE;
        }
        if (!is_newest(store, &r) || !may_undo(o, &r))
                return EXIT_REFUSED;
        code = undo_one(s, store, &r);
        *ret_more = o->all && code == EXIT_DONE;
        return code;
}

enum exit_code setup_undo(struct session *s)
{
        _cleanup_(store_freep) struct store *store = NULL;
        enum exit_code code;
        bool more = true;

        if (!session_may_change(s))
                return EXIT_REFUSED;
        code = session_store(s, false, &store);
        transaction_catch_signals();
        while (code == EXIT_DONE && more)
                code = undo_newest(s, store, &more);
        return code;
}
