/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/guest/apparmor.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/apparmor.h>

#include "daemon/guest/command.h"

#define PARSER "/usr/sbin/apparmor_parser"
#define PARSER_TIMEOUT_USEC (20U * 1000U * 1000U)
#define POLICY "/etc/apparmor.d" /* not below our own prefix */
#define LIBVIRT_PROFILES POLICY "/libvirt"
#define LIBVIRT_PREFIX "libvirt-"
#define ABSTRACTION POLICY "/abstractions/libvirt-qemu"
#define LOCAL_ABSTRACTION POLICY "/local/abstractions/libvirt-qemu"
#define INCLUDED "libvirt-qemu.d"
#define RULE POLICY "/abstractions/" INCLUDED "/vfio-inputd"

static enum apparmor_mode parse_mode(const char *mode)
{
        if (!mode || streq(mode, "unconfined"))
                return APPARMOR_NONE;
        return streq(mode, "complain") ? APPARMOR_COMPLAIN : APPARMOR_ENFORCE;
}

/* "PROFILE (MODE)\n", or "unconfined\n". */
static int parse_context(char *context, struct apparmor_profile *ret)
{
        const char *name;
        char *mode = NULL;

        context[strcspn(context, "\n")] = '\0';
        name = aa_splitcon(context, &mode);
        *ret = (struct apparmor_profile){ .mode = parse_mode(mode) };
        if (!name)
                return -EBADMSG;
        if (ret->mode == APPARMOR_NONE)
                return 0;
        if (!apparmor_name_is_valid(name))
                return -EOPNOTSUPP;
        (void) strcpy(ret->name, name);
        return 0;
}

/* The second file is also another security module's; but AppArmor has the first
 * since Linux 5.8. Reading fails where it is not in use. */
int apparmor_find_profile(const struct process *process, struct apparmor_profile *ret)
{
        _autofree_ char *context = NULL;
        size_t size;
        int r;

        *ret = (struct apparmor_profile){ .mode = APPARMOR_NONE };
        r = process_read(process, "attr/apparmor/current", &context, &size);
        if (r == -ENOENT || r == -EINVAL)
                return 0;
        return r < 0 ? r : parse_context(context, ret);
}

/* Not aa_query_file_path: as of AppArmor 3.0 and 4.1 it leaves out the path's last
 * character. The library writes the command at the beginning. */
static size_t make_query(const char *profile, const char *path, char *ret, size_t size)
{
        const size_t command = AA_QUERY_CMD_LABEL_SIZE;
        int n = snprintf(ret + command, size - command, "%s%c%c%s", profile, '\0', AA_CLASS_FILE, path);

        return command + (size_t) n;
}

static int ask_kernel(const struct apparmor_profile *profile, const char *path)
{
        char query[AA_QUERY_CMD_LABEL_SIZE + APPARMOR_PROFILE_MAX + 2 + PATH_MAX];
        int allowed, audited;
        size_t size;

        if (profile->mode != APPARMOR_ENFORCE)
                return true;
        size = make_query(profile->name, path, query, sizeof(query));
        if (size >= sizeof(query))
                return -ENAMETOOLONG;
        if (aa_query_label(AA_MAY_READ | AA_MAY_WRITE, query, size, &allowed, &audited) < 0)
                return -errno;
        return allowed;
}

static bool mentions(const char *file, const char *words)
{
        char text[16384];
        _autoclose_ int fd = open(file, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

        text[MAX(n, 0)] = '\0';
        return strstr(text, words);
}

/* Of Debian's two abstractions the older has only the administrator's file. */
static const char *shut_reason(void)
{
        if (access(RULE, F_OK) < 0)
                return ": " RULE " is missing";
        if (!mentions(ABSTRACTION, INCLUDED) && !mentions(LOCAL_ABSTRACTION, INCLUDED))
                return ": " ABSTRACTION " does not include the directory " INCLUDED;
        return ", although " ABSTRACTION " includes our rule";
}

static int report(const struct apparmor_profile *profile, int allowed, struct layers *layers)
{
        if (profile->mode == APPARMOR_NONE)
                layers_set(layers, LAYER_APPARMOR, LAYER_ABSENT, "no AppArmor profile confines it");
        else if (allowed < 0)
                layers_set(layers, LAYER_APPARMOR, LAYER_SHUT, "the kernel does not say what the profile %s allows: %s",
                           profile->name, strerror(-allowed));
        else if (allowed)
                layers_set(layers, LAYER_APPARMOR, LAYER_OPEN, "the profile %s allows the path%s", profile->name,
                           profile->mode == APPARMOR_COMPLAIN ? ", like any: it only complains" : "");
        else
                layers_set(layers, LAYER_APPARMOR, LAYER_SHUT, "the profile %s does not allow the path%s",
                           profile->name, shut_reason());
        return allowed < 0 ? allowed : allowed ? 0 : -EACCES;
}

int apparmor_check(const struct apparmor_profile *profile, const char *path, struct layers *layers)
{
        return report(profile, ask_kernel(profile, path), layers);
}

/* Tried first without the kernel: libvirt may just be writing the profile.
 * The cache is left alone, as libvirt leaves it. */
static int load_profile(const char *file, struct layers *layers)
{
        static const char *const steps[] = { "--skip-kernel-load", "--replace" };
        char output[COMMAND_OUTPUT_MAX + 1];

        for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
                const char *const arguments[] = { PARSER, "--skip-cache", steps[i], file, NULL };
                int r = command_run(arguments, PARSER_TIMEOUT_USEC, output);

                output[strcspn(output, "\n")] = '\0';
                if (r == 0)
                        continue;
                layers_set(layers, LAYER_APPARMOR, LAYER_SHUT, "apparmor_parser cannot load %s: %s", file,
                           r < 0 ? strerror(-r) : output);
                return r < 0 ? r : -EACCES;
        }
        return 0;
}

int apparmor_open(const struct apparmor_profile *profile, const char *path, struct layers *layers)
{
        char file[sizeof(LIBVIRT_PROFILES) + 1 + APPARMOR_PROFILE_MAX];
        int r = ask_kernel(profile, path);

        if (r != 0 || !startswith(profile->name, LIBVIRT_PREFIX))
                return report(profile, r, layers);
        (void) snprintf(file, sizeof(file), LIBVIRT_PROFILES "/%s", profile->name);
        r = load_profile(file, layers);
        return r < 0 ? r : apparmor_check(profile, path, layers);
}
