/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Plays scenario files (README.md has their syntax) against the router and
 * reports as TAP, one test for each scenario.
 *
 *   scenario [--list] [FILE…]      without files: tests/scenario/ *.txt of the
 *                                  source tree ($srcdir, or here) */

#include <ctype.h>
#include <glob.h>
#include <stdarg.h>
#include <stdio.h>

#include "common/mem.h"
#include "tests/scenario/play.h"

struct script {
        const char *path;
        char **lines; /* owned */
        unsigned n_lines;
};

/* One scenario under way. */
struct run {
        struct play play;
        const struct script *script;
        struct outputs expected; /* of the step under way */
        bool failed;
};

/* --- playing ----------------------------------------------------------------- */

static void fail(struct run *run, unsigned line, const char *format, ...) _printf_(3, 4);

static void fail(struct run *run, unsigned line, const char *format, ...)
{
        va_list ap;

        run->failed = true;
        printf("# %s:%u: ", run->script->path, line + 1);
        va_start(ap, format);
        vprintf(format, ap);
        va_end(ap);
        putchar('\n');
}

/* Where the outputs begin ("=>"), or NULL. */
static const char *find_arrow(const char *line)
{
        return strstr(line, "=>");
}

static void expect_outputs(struct run *run, const char *arrow)
{
        _autofree_ char *copy = xstrdup(arrow + strlen("=>"));
        char *save = NULL;

        for (char *part = strtok_r(copy, "|", &save); part; part = strtok_r(NULL, "|", &save)) {
                char text[PLAY_TEXT_MAX], *words[PLAY_WORDS_MAX];

                play_join(words, play_split(part, words), text, sizeof(text));
                outputs_add(&run->expected, xstrdup(text));
        }
}

static const char *output_at(const struct outputs *o, unsigned i)
{
        return i < o->n ? o->items[i] : "";
}

static void compare(struct run *run, unsigned line)
{
        const struct outputs *expected = &run->expected, *got = &run->play.got;
        unsigned rows = MAX(expected->n, got->n);
        bool same = expected->n == got->n;

        for (unsigned i = 0; i < rows && same; i++)
                same = streq(expected->items[i], got->items[i]);
        if (same || (expected->n == 1 && streq(expected->items[0], "*")))
                return;
        fail(run, line, "%s", run->script->lines[line]);
        printf("#     %-44s %s\n", "expected", "got");
        for (unsigned i = 0; i < rows; i++) {
                const char *a = output_at(expected, i), *b = output_at(got, i);

                printf("#   %c %-44s %s\n", streq(a, b) ? ' ' : '!', a, b);
        }
}

static bool is_blank(const char *line)
{
        while (isspace((unsigned char) *line))
                line++;
        return *line == '\0';
}

static bool starts_with_arrow(const char *line)
{
        return startswith(line + strspn(line, " \t"), "=>");
}

/* Plays the step in the given line; returns the line after it. */
static unsigned run_step(struct run *run, unsigned line)
{
        const struct script *script = run->script;
        const char *text = script->lines[line], *arrow = find_arrow(text);
        _autofree_ char *input = arrow ? strndup(text, (size_t) (arrow - text)) : strdup(text);
        unsigned after = line + 1;

        outputs_clear(&run->expected);
        if (arrow)
                expect_outputs(run, arrow);
        for (; after < script->n_lines && starts_with_arrow(script->lines[after]); after++)
                expect_outputs(run, find_arrow(script->lines[after]));

        if (play_step(&run->play, input) < 0) {
                fail(run, line, "cannot be understood: %s", text);
                return after;
        }
        compare(run, line);
        if (!witness_check(&run->play.witness))
                fail(run, line, "%s", run->play.witness.complaint);
        return after;
}

static void run_lines(struct run *run, unsigned from, unsigned to)
{
        while (from < to && !run->failed)
                from = is_blank(run->script->lines[from]) ? from + 1 : run_step(run, from);
}

/* The lines before `preamble` come first in every scenario of the file. */
static bool run_scenario(const struct script *script, unsigned preamble, unsigned from, unsigned to)
{
        static struct run run;

        run = (struct run) { .script = script };
        play_init(&run.play);
        run_lines(&run, 0, preamble);
        run_lines(&run, from, to);
        if (!run.failed && !witness_finish(&run.play.witness))
                fail(&run, from - 1, "after letting go of everything: %s", run.play.witness.complaint);
        play_clear(&run.play);
        outputs_clear(&run.expected);
        return !run.failed;
}

/* --- files ------------------------------------------------------------------- */

static bool is_heading(const char *line)
{
        return startswith(line, "== ");
}

static void script_free(struct script *s)
{
        for (unsigned i = 0; i < s->n_lines; i++)
                free(s->lines[i]);
        free(s->lines);
}

static void fclosep(FILE **f)
{
        if (*f)
                (void) fclose(*f);
}

static int script_read(const char *path, struct script *ret)
{
        _cleanup_(fclosep) FILE *f = fopen(path, "re");
        _autofree_ char *line = NULL;
        struct script s = { .path = path };
        size_t size = 0;

        if (!f)
                return -errno;
        while (getline(&line, &size, f) >= 0) {
                char *comment = strchr(line, '#');

                line[comment ? (size_t) (comment - line) : strcspn(line, "\n")] = '\0';
                s.lines = xreallocarray(s.lines, s.n_lines + 1, sizeof(s.lines[0]));
                s.lines[s.n_lines++] = xstrdup(line);
        }
        *ret = s;
        return 0;
}

struct tally {
        bool list;
        unsigned n, failed;
};

static void run_script(const struct script *s, struct tally *tally)
{
        unsigned preamble = 0, to;

        while (preamble < s->n_lines && !is_heading(s->lines[preamble]))
                preamble++;
        for (unsigned from = preamble; from < s->n_lines; from = to) {
                const char *name = s->lines[from] + strlen("== "), *base = strrchr(s->path, '/');
                bool ok = true;

                for (to = from + 1; to < s->n_lines && !is_heading(s->lines[to]); to++)
                        ;
                base = base ? base + 1 : s->path;
                tally->n++;
                if (!tally->list) {
                        ok = run_scenario(s, preamble, from + 1, to);
                        printf("%s %u - ", ok ? "ok" : "not ok", tally->n);
                }
                printf("%s: %s\n", base, name);
                tally->failed += !ok;
        }
}

static int run_file(const char *path, struct tally *tally)
{
        struct script s;
        int r = script_read(path, &s);

        if (r < 0) {
                printf("Bail out! %s: %s\n", path, strerror(-r));
                return r;
        }
        run_script(&s, tally);
        script_free(&s);
        return 0;
}

int main(int argc, char **argv)
{
        struct tally tally = { .list = argc > 1 && streq(argv[1], "--list") };
        const char *srcdir = getenv("srcdir");
        _autofree_ char *pattern = xasprintf("%s/tests/scenario/*.txt", srcdir ? srcdir : ".");
        _cleanup_(globfree) glob_t found = { 0 };
        char **paths = argv + 1 + tally.list;

        if (!*paths) {
                if (glob(pattern, 0, NULL, &found) != 0) {
                        printf("Bail out! no %s\n", pattern);
                        return 99;
                }
                paths = found.gl_pathv;
        }
        for (; *paths; paths++)
                if (run_file(*paths, &tally) < 0)
                        return 99;
        if (!tally.list)
                printf("1..%u\n", tally.n);
        return tally.failed ? 1 : 0;
}
