/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/ask.h"
#include "client/setup/session.h"
#include "client/setup/transaction.h"
#include "client/text.h"

static bool is_open(const struct plan *p)
{
        const struct plan_gate *g = plan_closed_gate(p);

        if (!g)
                return true;
        if (g->is_final)
                text_complain("%s: %s. This gate cannot be opened", g->id, g->text);
        else
                text_complain("%s: %s. If that is what you want: --accept-risk=%s", g->id, g->text, g->id);
        return false;
}

static enum exit_code exit_code_of(enum transaction_result result, const char *error)
{
        switch (result) {
        case TRANSACTION_DONE:
                return EXIT_DONE;
        case TRANSACTION_REFUSED:
                text_complain("%s", error);
                return EXIT_REFUSED;
        case TRANSACTION_FAILED:
                text_complain("%s. Everything is as before", error);
                return EXIT_FAILED;
        case TRANSACTION_INCOMPLETE:
                text_complain("%s", error);
                return EXIT_INCOMPLETE;
        }
        return EXIT_FAILED;
}

static enum exit_code carry_out(struct session *s)
{
        const struct options *o = s->options;
        struct transaction_options t = { .no_rebuild = o->choices.no_rebuild };
        _cleanup_(store_freep) struct store *store = NULL;
        _autofree_ char *error = NULL;
        enum transaction_result result;
        enum exit_code code = session_store(s, true, &store);

        if (code != EXIT_DONE)
                return code;
        t.progress = o->quiet ? NULL : stderr;
        t.live = isatty(STDERR_FILENO);
        transaction_catch_signals();
        result = transaction_apply(store, &s->plan, &o->choices, &t, &error);
        code = exit_code_of(result, error);
        if (code == EXIT_DONE && !o->json && !o->quiet)
                puts(s->plan.reboot ? "Done. Reboot, then run: vfioctl setup check" : "Done.");
        return code;
}

enum exit_code setup_apply(struct session *s)
{
        const struct options *o = s->options;
        enum exit_code code = session_plan(s);

        if (code != EXIT_DONE)
                return code;
        session_show_plan(s);
        (void) fflush(stdout);
        if (o->dry_run || plan_is_empty(&s->plan))
                return EXIT_DONE;
        if (!is_open(&s->plan) || !session_may_change(s))
                return EXIT_REFUSED;
        if (!o->yes && (o->no_ask || !isatty(STDIN_FILENO))) {
                text_complain("Nobody can be asked: say --yes");
                return EXIT_REFUSED;
        }
        if (!o->yes && !ask_yes(stdin, stderr, "\nDo all of this?")) {
                text_complain("Nothing was changed");
                return EXIT_REFUSED;
        }
        return carry_out(s);
}
