/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/plan-print.h"

#include "client/setup/diff.h"
#include "client/setup/plan-json.h"
#include "common/text.h"

/* Line by line: a clean text has no line ends. */
static void print_clean(FILE *out, const char *indent, const char *text)
{
        _cleanup_(strv_freep) char **lines = words_split(text, "\n");

        for (char **line = lines; *line; line++) {
                _autofree_ char *spaces = xstrdup(*line), *clean = NULL;

                for (char *tab = spaces; (tab = strchr(tab, '\t'));)
                        *tab = ' ';
                clean = text_printable(spaces);
                (void) fprintf(out, "%s%s\n", indent, clean);
        }
}

/* A word that a shell would take apart is quoted; owned by the caller. */
static char *shell_words(char *const *argv)
{
        char **quoted = NULL, *line;

        for (; *argv; argv++) {
                bool plain = **argv && !(*argv)[strcspn(*argv, " \t\n\"'\\$`&|;<>()*?[]{}#~!")];

                words_take(&quoted, plain ? xstrdup(*argv) : xasprintf("'%s'", *argv));
        }
        line = words_join(quoted, " ");
        (void) strv_free(quoted);
        return line;
}

static void print_notes(const struct plan *p, FILE *out)
{
        const char *step = "";

        for (size_t i = 0; i < p->n_notes; i++) {
                const struct plan_note *n = &p->notes[i];
                _autofree_ char *text = text_printable(n->text);

                (void) fprintf(out, "%-10s %-10s  %s\n", streq(step, n->step) ? "" : n->step,
                               plan_verdict_name(n->verdict), text);
                step = n->step;
                for (char **line = n->lines; line && *line; line++)
                        print_clean(out, "                           ", *line);
        }
}

static void print_files(const struct plan *p, FILE *out)
{
        for (size_t i = 0; i < p->n_files; i++) {
                const struct plan_file *f = &p->files[i];
                _autofree_ char *diff = diff_unified(f->path, f->before, f->after), *why = text_printable(f->why);

                (void) fprintf(out, "\n%s %s: %s\n", f->before ? f->after ? "change" : "remove" : "write", f->path, why);
                print_clean(out, "  ", diff);
        }
}

static void print_commands(const struct plan *p, const struct choices *c, FILE *out)
{
        for (size_t i = 0; i < p->n_commands; i++) {
                const struct plan_command *command = &p->commands[i];
                _autofree_ char *line = shell_words(command->argv);

                if (command->is_rebuild && p->n_files == 0)
                        continue;
                (void) fprintf(out, "\n%s: %s\n", command->is_rebuild && c->no_rebuild ? "run by hand" : "run", command->why);
                print_clean(out, "  ", line);
                if (command->no_undo)
                        (void) fputs("  (\"undo\" does not take this back)\n", out);
        }
}

static void print_domains(const struct plan *p, FILE *out)
{
        for (size_t i = 0; i < p->n_domains; i++) {
                const struct plan_domain *d = &p->domains[i];
                _autofree_ char *before = plan_hide_secrets(d->before), *after = plan_hide_secrets(d->after);
                _autofree_ char *diff = diff_unified(d->name, before, after), *name = text_printable(d->name);

                (void) fprintf(out, "\ndomain %s: %s\n", name, d->why);
                print_clean(out, "  ", diff);
        }
}

static void print_gates(const struct plan *p, FILE *out)
{
        for (size_t i = 0; i < p->n_gates; i++) {
                const struct plan_gate *g = &p->gates[i];
                _autofree_ char *text = text_printable(g->text);

                (void) fprintf(out, "\nGATE %s%s: %s\n", g->id, g->accepted ? " (opened)" : "", text);
        }
}

static void print_reboot(const struct plan *p, FILE *out)
{
        if (!p->reboot)
                return;
        (void) fputs("\nA reboot is needed:\n", out);
        for (char **why = p->reboot; *why; why++)
                print_clean(out, "  ", *why);
        if (!p->expect)
                return;
        (void) fputs("If the host does not boot then: press \"e\" in the boot loader's menu, delete these words from\n"
                     "the line that begins with \"linux\", go on with Ctrl+X, and run \"vfioctl setup undo\":\n",
                     out);
        for (char **word = p->expect; *word; word++)
                print_clean(out, "  ", *word);
}

void plan_print(const struct plan *p, const struct choices *c, FILE *out)
{
        print_notes(p, out);
        print_files(p, out);
        print_commands(p, c, out);
        print_domains(p, out);
        print_gates(p, out);
        print_reboot(p, out);
        if (plan_is_empty(p))
                (void) fputs("\nNothing to do.\n", out);
}
