/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/validate.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>

#include "client/setup/program.h"
#include "client/setup/run.h"
#include "client/setup/virconf.h"
#include "client/setup/words.h"

/* --- by another program ----------------------------------------------------------------------- */

static int ask(const struct plan_file *f, char *const *argv, char **ret_error)
{
        static const struct root *here;
        _autoclose_ int out = memfd_create("output", MFD_CLOEXEC);
        char text[1024] = "";
        ssize_t n;
        int status;

        if (!here && root_open(NULL, (struct root **) &here) < 0)
                return 0;
        status = run_command(here, argv, out, NULL, NULL);
        if (status <= 0 || status == 127)
                return 0;
        n = pread(out, text, sizeof(text) - 1, 0);
        text[MAX(n, 0)] = '\0';
        *ret_error = xasprintf("%s would not be well-formed: %s", f->path, text);
        return -EINVAL;
}

static int ask_program(const struct plan_file *f, const char *text, char **ret_error, const char *const *words)
{
        _autoclose_ int fd = run_text_file(text, strlen(text));
        _autofree_ char *path = xasprintf("/proc/self/fd/%d", fd);
        _cleanup_(strv_freep) char **argv = NULL;

        for (; *words; words++)
                words_add(&argv, *words);
        words_add(&argv, path);
        return fd < 0 ? 0 : ask(f, argv, ret_error);
}

static int ask_shell(const struct plan_file *f, char **ret_error)
{
        static const char *const words[] = { "sh", "-n", NULL };

        return ask_program(f, f->after, ret_error, words);
}

/* Rules that a profile includes: in one of their own, which is read and not loaded. */
static int ask_apparmor(const struct root *r, const struct plan_file *f, char **ret_error)
{
        _autofree_ char *base = xasprintf("%s/etc/apparmor.d", root_path(r));
        _autofree_ char *profile = xasprintf("profile vfio-inputd-check {\n%s\n}\n", f->after);
        const char *const words[] = { "apparmor_parser", "-Q", "-K", "-b", base, NULL };

        return ask_program(f, profile, ret_error, words);
}

/* --- by ourselves ------------------------------------------------------------------------------ */

static int judge(const struct plan_file *f, bool good, const char *wanted, char **ret_error)
{
        if (good)
                return 0;
        *ret_error = xasprintf("%s would not be well-formed: %s", f->path, wanted);
        return -EINVAL;
}

static int ask_virconf(const struct plan_file *f, char **ret_error)
{
        _cleanup_(virconf_clear) struct virconf c = { 0 };
        _autofree_ char *error = NULL;
        int e = virconf_parse(f->after, &c, &error);

        return judge(f, e == 0, error, ret_error);
}

static bool is_one_line(const char *text)
{
        unsigned quotes = 0;

        for (; *text && *text != '\n'; text++) {
                if ((unsigned char) *text < ' ' && *text != '\t')
                        return false;
                quotes += *text == '"';
        }
        return quotes % 2 == 0 && text[strspn(text, "\n")] == '\0';
}

static bool is_modprobe_line(const char *line)
{
        static const char *const commands[] = { "alias", "blacklist", "install", "options", "remove", "softdep" };
        _cleanup_(strv_freep) char **words = words_split(line, " \t");

        if (!words[0] || words[0][0] == '#')
                return true;
        for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
                if (streq(words[0], commands[i]))
                        return words[1] && (words[2] || streq(commands[i], "blacklist"));
        return false;
}

static bool is_modprobe(const char *text)
{
        _cleanup_(strv_freep) char **lines = words_split(text, "\n");

        for (char **line = lines; *line; line++)
                if (!is_modprobe_line(*line))
                        return false;
        return true;
}

int validate(const struct root *r, const struct plan_file *f, char **ret_error)
{
        switch (f->validator) {
        case VALIDATE_NONE:
                return 0;
        case VALIDATE_APPARMOR:
                return ask_apparmor(r, f, ret_error);
        case VALIDATE_LIBVIRT_CONF:
                return ask_virconf(f, ret_error);
        case VALIDATE_SHELL:
                return ask_shell(f, ret_error);
        case VALIDATE_MODPROBE:
                return judge(f, is_modprobe(f->after), "each line must be a command of modprobe.d(5)", ret_error);
        case VALIDATE_CMDLINE:
                return judge(f, is_one_line(f->after), "it must be one line, quotes in pairs", ret_error);
        }
        return 0;
}
