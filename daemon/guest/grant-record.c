/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/guest/grant-record.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define RECORD_SIZE_MAX (256U * 1024U)
#define TEMPORARY ".new-" /* and the name; never that of a record */
#define LAST_LINE "end=yes" /* so that half a record is none */

static const char *const dev_names[GRANT_DEV_MAX_] = {
        [GRANT_DEV_NONE] = "none",
        [GRANT_DEV_OWN] = "own",
        [GRANT_DEV_HOST] = "host",
};

void grant_record_clear(struct grant_record *r)
{
        free(r->domain);
        cgroup_plan_clear(&r->cgroup);
        *r = (struct grant_record){ 0 };
}

bool grant_record_is_of_same(const struct grant_record *a, const struct grant_record *b)
{
        return a->pid == b->pid && a->start_time == b->start_time;
}

bool grant_record_uuid_is_valid(const char *uuid)
{
        static const char pattern[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

        if (strlen(uuid) != UUID_LENGTH)
                return false;
        for (size_t i = 0; i < UUID_LENGTH; i++)
                if (pattern[i] == '-' ? uuid[i] != '-' : !strchr("0123456789abcdef", uuid[i]))
                        return false;
        return true;
}

void grant_record_name(const struct grant_record *r, char ret[GRANT_RECORD_NAME_MAX + 1])
{
        (void) snprintf(ret, GRANT_RECORD_NAME_MAX + 1, "%s-input%lu", r->uuid, r->node.input);
}

/* --- text ------------------------------------------------------------------- */

/* libvirt allows nearly anything in a name, and a line ends a value. */
static char *escape(const char *s)
{
        char *escaped = xnew0(char, 3 * strlen(s) + 1), *at = escaped;

        for (; *s; s++) {
                if ((unsigned char) *s < 0x20 || *s == '%' || *s == 0x7f)
                        at += sprintf(at, "%%%02x", (unsigned char) *s);
                else
                        *at++ = *s;
        }
        return escaped;
}

static char *unescape(const char *s)
{
        _autofree_ char *plain = xnew0(char, strlen(s) + 1);
        char *at = plain;

        while (*s) {
                unsigned byte = (unsigned char) *s;
                int length = 1;

                if (*s == '%' && (sscanf(s, "%%%2x%n", &byte, &length) != 1 || length != 3 || byte == 0))
                        return NULL;
                *at++ = (char) byte;
                s += length;
        }
        return TAKE_PTR(plain);
}

static char *format_entries(const struct cgroup_plan *plan)
{
        char *text = xstrdup("");

        for (size_t i = 0; i < plan->n; i++) {
                _autofree_ char *before = text;
                const struct cgroup_entry *e = &plan->entries[i];

                text = xasprintf("%sentry=%" PRIu32 " %" PRIu32 " %s\n", before, e->map, e->previous, e->group);
        }
        return text;
}

static char *format(const struct grant_record *r)
{
        _autofree_ char *domain = escape(r->domain), *entries = format_entries(&r->cgroup);

        return xasprintf("uuid=%s\n"
                         "domain=%s\n"
                         "pid=%d\n"
                         "start-time=%" PRIu64 "\n"
                         "node=%s\n"
                         "device=%u:%u\n"
                         "input=%lu\n"
                         "guest=%s\n"
                         "profile=%s\n"
                         "dev=%s\n"
                         "cgroup=%d\n"
                         "%s" LAST_LINE "\n",
                         r->uuid, domain, r->pid, r->start_time, r->node.path, major(r->node.device),
                         minor(r->node.device), r->node.input, r->node.guest, r->profile, dev_names[r->dev],
                         r->cgroup.is_v1 ? 1 : 2, entries);
}

static int parse_number(const char *value, uint64_t max, uint64_t *ret)
{
        char *end;

        if (*value < '0' || *value > '9')
                return -EBADMSG;
        errno = 0;
        *ret = strtoull(value, &end, 10);
        return errno || *end || *ret > max ? -EBADMSG : 0;
}

static int copy(const char *value, char *ret, size_t size)
{
        if (strlen(value) >= size)
                return -EBADMSG;
        (void) strcpy(ret, value);
        return 0;
}

static int parse_uuid(const char *value, struct grant_record *r)
{
        return grant_record_uuid_is_valid(value) ? copy(value, r->uuid, sizeof(r->uuid)) : -EBADMSG;
}

static int parse_domain(const char *value, struct grant_record *r)
{
        r->domain = unescape(value);
        return r->domain ? 0 : -EBADMSG;
}

static int parse_pid(const char *value, struct grant_record *r)
{
        uint64_t pid = 0;
        int result = parse_number(value, INT32_MAX, &pid);

        r->pid = (pid_t) pid;
        return result < 0 || pid == 0 ? -EBADMSG : 0;
}

static int parse_start_time(const char *value, struct grant_record *r)
{
        return parse_number(value, UINT64_MAX, &r->start_time);
}

static int parse_node(const char *value, struct grant_record *r)
{
        return startswith(value, "/dev/input/event") ? copy(value, r->node.path, sizeof(r->node.path)) : -EBADMSG;
}

static int parse_device(const char *value, struct grant_record *r)
{
        unsigned first, second;
        int end = -1;

        if (sscanf(value, "%u:%u%n", &first, &second, &end) != 2 || value[end])
                return -EBADMSG;
        r->node.device = makedev(first, second);
        return 0;
}

static int parse_input(const char *value, struct grant_record *r)
{
        uint64_t input = 0;
        int result = parse_number(value, ULONG_MAX, &input);

        r->node.input = (unsigned long) input;
        return result;
}

static int parse_guest(const char *value, struct grant_record *r)
{
        return copy(value, r->node.guest, sizeof(r->node.guest));
}

static int parse_profile(const char *value, struct grant_record *r)
{
        return apparmor_name_is_valid(value) ? copy(value, r->profile, sizeof(r->profile)) : -EBADMSG;
}

static int parse_dev(const char *value, struct grant_record *r)
{
        for (enum grant_dev d = 0; d < GRANT_DEV_MAX_; d++) {
                if (streq(value, dev_names[d])) {
                        r->dev = d;
                        return 0;
                }
        }
        return -EBADMSG;
}

static int parse_cgroup(const char *value, struct grant_record *r)
{
        r->cgroup.is_v1 = streq(value, "1");
        return streq(value, "1") || streq(value, "2") ? 0 : -EBADMSG;
}

static int parse_entry(const char *value, struct grant_record *r)
{
        uint32_t map, previous;
        int group = -1;

        if (sscanf(value, "%" SCNu32 " %" SCNu32 " %n", &map, &previous, &group) != 2 || group < 0)
                return -EBADMSG;
        if (!cgroup_path_is_valid(value + group) || r->cgroup.n >= CGROUP_ENTRIES_MAX)
                return -EBADMSG;
        cgroup_plan_add(&r->cgroup, value + group, map, previous);
        return 0;
}

static int parse_end(const char *value, struct grant_record *r)
{
        return streq(value, "yes") ? 0 : -EBADMSG;
}

/* All but the entries are there exactly once. */
static const struct {
        const char *key;
        int (*parse)(const char *value, struct grant_record *r);
} keys[] = {
        { "entry", parse_entry },
        { "uuid", parse_uuid },
        { "domain", parse_domain },
        { "pid", parse_pid },
        { "start-time", parse_start_time },
        { "node", parse_node },
        { "device", parse_device },
        { "input", parse_input },
        { "guest", parse_guest },
        { "profile", parse_profile },
        { "dev", parse_dev },
        { "cgroup", parse_cgroup },
        { "end", parse_end },
};
#define KEY_ENTRY 0U

static int parse_line(char *line, unsigned *seen, struct grant_record *r)
{
        char *value = strchr(line, '=');

        if (!value)
                return -EBADMSG;
        *value++ = '\0';
        for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
                if (!streq(line, keys[i].key))
                        continue;
                if (i != KEY_ENTRY && *seen & 1U << i)
                        return -EBADMSG;
                *seen |= 1U << i;
                return keys[i].parse(value, r);
        }
        return -EBADMSG;
}

static int parse(char *text, struct grant_record *r)
{
        const unsigned all = (1U << ARRAY_SIZE(keys)) - 1;
        unsigned seen = 1U << KEY_ENTRY;
        char *line;

        while ((line = strsep(&text, "\n")) && text) {
                int result = parse_line(line, &seen, r);

                if (result < 0)
                        return result;
        }
        return seen == all && line && !*line ? 0 : -EBADMSG;
}

/* --- files ------------------------------------------------------------------ */

static int write_all(int fd, const char *text)
{
        while (*text) {
                ssize_t n = write(fd, text, strlen(text));

                if (n < 0)
                        return -errno;
                text += n;
        }
        return 0;
}

static int write_file(int directory, const char *name, const char *text)
{
        _autoclose_ int fd = -EBADF;

        fd = openat(directory, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
        return fd < 0 ? -errno : write_all(fd, text);
}

int grant_record_write(int directory, const struct grant_record *r)
{
        char name[GRANT_RECORD_NAME_MAX + 1], temporary[sizeof(TEMPORARY) + GRANT_RECORD_NAME_MAX];
        _autofree_ char *text = format(r);
        int result;

        grant_record_name(r, name);
        (void) snprintf(temporary, sizeof(temporary), TEMPORARY "%s", name);
        result = write_file(directory, temporary, text);
        if (result >= 0 && renameat(directory, temporary, directory, name) < 0)
                result = -errno;
        if (result < 0)
                (void) unlinkat(directory, temporary, 0);
        return result;
}

/* O_NONBLOCK: a pipe in its place would wait for a writer. */
static int read_file(int directory, const char *name, char **ret)
{
        _autofree_ char *text = xnew0(char, RECORD_SIZE_MAX + 1);
        _autoclose_ int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        size_t size = 0;
        struct stat st;
        ssize_t n;

        if (fd < 0)
                return errno == ELOOP ? -EBADMSG : -errno;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EBADMSG;
        while ((n = read(fd, text + size, RECORD_SIZE_MAX - size)) > 0)
                size += (size_t) n;
        if (n < 0)
                return -errno;
        *ret = TAKE_PTR(text);
        return size < RECORD_SIZE_MAX && strlen(*ret) == size ? 0 : -EBADMSG;
}

int grant_record_read(int directory, const char *name, struct grant_record *ret)
{
        _cleanup_(grant_record_clear) struct grant_record record = { 0 };
        char expected[GRANT_RECORD_NAME_MAX + 1];
        _autofree_ char *text = NULL;
        int r;

        r = read_file(directory, name, &text);
        if (r < 0)
                return r;
        r = parse(text, &record);
        if (r < 0)
                return r;
        grant_record_name(&record, expected);
        if (!streq(name, expected))
                return -EBADMSG;
        *ret = record;
        record = (struct grant_record){ 0 };
        return 0;
}

int grant_record_remove(int directory, const char *name)
{
        return unlinkat(directory, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

void grant_record_list_free(char **names, size_t n)
{
        for (size_t i = 0; i < n; i++)
                free(names[i]);
        free(names);
}

int grant_record_list(int directory, char ***ret, size_t *ret_n)
{
        struct dirent **entries;
        int n = scandirat(directory, ".", &entries, NULL, alphasort);
        size_t count = 0;

        if (n < 0)
                return -errno;
        *ret = xnew0(char *, (size_t) n);
        for (int i = 0; i < n; i++) {
                if (!streq(entries[i]->d_name, ".") && !streq(entries[i]->d_name, ".."))
                        (*ret)[count++] = xstrdup(entries[i]->d_name);
                free(entries[i]);
        }
        free(entries);
        *ret_n = count;
        return 0;
}
