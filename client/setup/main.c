/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* vfioctl-setup: what "vfioctl setup" and "vfioctl doctor" run. */

#include <locale.h>
#include <stdio.h>

#include "client/setup/doctor-main.h"
#include "client/setup/session.h"
#include "client/text.h"

static const struct verb {
        const char *name;
        enum exit_code (*run)(struct session *s);
} verbs[] = {
        { "plan", setup_show_plan }, { "apply", setup_apply }, { "check", setup_check },
        { "undo", setup_undo },      { "list", setup_list },   { "detect", setup_detect },
};

static enum exit_code run(struct options *o)
{
        _cleanup_(session_close) struct session s = { 0 };
        enum exit_code code = session_open(o, &s);

        for (size_t i = 0; code == EXIT_DONE && i < ARRAY_SIZE(verbs); i++)
                if (streq(verbs[i].name, o->verb ? o->verb : "plan"))
                        return verbs[i].run(&s);
        return code;
}

static enum exit_code setup_main(int argc, char **argv)
{
        _cleanup_(options_clear) struct options o = { 0 };
        bool go_on;
        enum exit_code code = options_parse(argc, argv, &o, &go_on);

        return go_on ? run(&o) : code;
}

int main(int argc, char **argv)
{
        int code = EXIT_USAGE;

        (void) setlocale(LC_CTYPE, "");
        if (argc > 1 && streq(argv[1], "doctor"))
                code = doctor_main(argc - 1, argv + 1);
        else if (argc > 1 && streq(argv[1], "setup"))
                code = (int) setup_main(argc - 1, argv + 1);
        else
                fputs("This is run by \"vfioctl setup\" and \"vfioctl doctor\".\n", stderr);
        if (fflush(stdout) != 0 || ferror(stdout)) {
                text_complain("Cannot write: %s", strerror(errno));
                return code ? code : EXIT_FAILED;
        }
        return code;
}
