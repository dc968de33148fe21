/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/guest/grant.h"

#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>

#include "common/log.h"
#include "daemon/guest/apparmor.h"
#include "daemon/guest/cgroup.h"
#include "daemon/guest/grant-record.h"
#include "daemon/guest/namespace.h"

#define SELINUX_ENFORCE "/sys/fs/selinux/enforce"

struct grant {
        int records; /* directory */
        struct grant_record record;
        struct apparmor_profile profile;
        struct process *process; /* NULL: had ended when we looked */
        char path[GRANT_PATH_MAX + 1];
};

/* --- the object --------------------------------------------------------------- */

struct place {
        char name[32];
        struct namespace_place place;
};

static void place_of(const struct grant_record *r, struct place *ret)
{
        (void) snprintf(ret->name, sizeof(ret->name), "input%lu", r->node.input);
        ret->place = (struct namespace_place){ .profile = r->profile, .name = ret->name };
}

/* Takes the record. */
static struct grant *grant_new(int records, struct grant_record *record)
{
        struct grant *g = xnew0(struct grant, 1);

        *g = (struct grant){ .records = fcntl(records, F_DUPFD_CLOEXEC, 0), .record = *record };
        *record = (struct grant_record){ 0 };
        (void) snprintf(g->path, sizeof(g->path), "/dev/" NAMESPACE_DIRECTORY "/%s/input%lu", g->record.profile,
                        g->record.node.input);
        return g;
}

struct grant *grant_free(struct grant *g)
{
        if (!g)
                return NULL;
        grant_record_clear(&g->record);
        (void) process_free(g->process);
        (void) safe_close(g->records);
        free(g);
        return NULL;
}

const char *grant_uuid(const struct grant *g)
{
        return g->record.uuid;
}

const char *grant_domain(const struct grant *g)
{
        return g->record.domain;
}

const struct input_node *grant_node(const struct grant *g)
{
        return &g->record.node;
}

const char *grant_path(const struct grant *g)
{
        return g->path;
}

pid_t grant_pid(const struct grant *g)
{
        return g->record.pid;
}

bool grant_is_alive(const struct grant *g)
{
        return g->process && process_check_alive(g->process) >= 0;
}

/* --- what is written down -------------------------------------------------------- */

static int open_records(const char *path)
{
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        return fd < 0 ? -errno : fd;
}

static int save(const struct grant *g)
{
        return grant_record_write(g->records, &g->record);
}

static int forget(const struct grant *g)
{
        char name[GRANT_RECORD_NAME_MAX + 1];

        grant_record_name(&g->record, name);
        return grant_record_remove(g->records, name);
}

static int load(int records, const char *name, struct grant **ret)
{
        _cleanup_(grant_record_clear) struct grant_record record = { 0 };
        _cleanup_(grant_freep) struct grant *g = NULL;
        int r;

        r = grant_record_read(records, name, &record);
        if (r < 0)
                return r;
        g = grant_new(records, &record);
        r = process_pin_again(g->record.pid, g->record.start_time, &g->process);
        if (r < 0 && r != -ESRCH)
                return r;
        *ret = TAKE_PTR(g);
        return 0;
}

/* Whether the record is still ours: another grant may have closed this one, as it
 * was in its way, and be written down under the same name. */
static int is_recorded(const struct grant *g)
{
        _cleanup_(grant_record_clear) struct grant_record now = { 0 };
        char name[GRANT_RECORD_NAME_MAX + 1];
        int r;

        grant_record_name(&g->record, name);
        r = grant_record_read(g->records, name, &now);
        if (r < 0)
                return r == -ENOENT ? false : r;
        return grant_record_is_of_same(&g->record, &now);
}

/* --- closing ----------------------------------------------------------------------- */

/* With a process its own /dev ends. */
static int open_dev(const struct grant *g)
{
        if (g->record.dev == GRANT_DEV_HOST)
                return namespace_open_host_dev();
        return grant_is_alive(g) ? namespace_open_dev(g->process) : -ESRCH;
}

static int close_namespace(const struct grant *g)
{
        _autoclose_ int dev = -EBADF;
        struct place place;

        if (g->record.dev == GRANT_DEV_NONE)
                return 0;
        dev = open_dev(g);
        if (dev < 0)
                return dev == -ESRCH ? 0 : dev;
        place_of(&g->record, &place);
        return namespace_remove_node(dev, &place.place, g->record.node.device);
}

/* With the process its groups end, and others may be called like them by now. */
static int close_cgroup(const struct grant *g)
{
        return grant_is_alive(g) ? cgroup_plan_undo(&g->record.cgroup, g->record.node.device) : 0;
}

static int undo(const struct grant *g)
{
        int cgroup = close_cgroup(g), namespace = close_namespace(g);

        if (cgroup < 0 || namespace < 0)
                return cgroup < 0 ? cgroup : namespace;
        return forget(g);
}

int grant_close(struct grant *g)
{
        int r = is_recorded(g);

        if (r > 0)
                r = undo(g);
        if (r < 0)
                return r;
        (void) grant_free(g);
        return 0;
}

/* --- looking ------------------------------------------------------------------------- */

static const char *user_name(uid_t uid, char *ret, size_t size)
{
        struct passwd pw, *found = NULL;
        char data[1024];

        if (getpwuid_r(uid, &pw, data, sizeof(data), &found) == 0 && found)
                (void) snprintf(ret, size, "%s", pw.pw_name);
        else
                (void) snprintf(ret, size, "uid %u", uid);
        return ret;
}

static void check_owner(const struct grant *g, const struct stat *st, struct layers *layers)
{
        char user[64], owner[64];
        uid_t uid;
        gid_t gid;
        int r;

        r = process_owner(g->process, &uid, &gid);
        if (r < 0)
                layers_set(layers, LAYER_DAC, LAYER_SHUT, "QEMU's user cannot be told: %s", strerror(-r));
        else if (st->st_uid != uid)
                layers_set(layers, LAYER_DAC, LAYER_SHUT, "the node belongs to %s, not to %s",
                           user_name(st->st_uid, owner, sizeof(owner)), user_name(uid, user, sizeof(user)));
        else if ((st->st_mode & (S_IRUSR | S_IWUSR)) != (S_IRUSR | S_IWUSR))
                layers_set(layers, LAYER_DAC, LAYER_SHUT, "the mode of the node is %04o", st->st_mode & 07777);
        else
                layers_set(layers, LAYER_DAC, LAYER_OPEN, "the node belongs to %s",
                           user_name(uid, user, sizeof(user)));
}

static void check_node(const struct grant *g, struct layers *layers)
{
        _autoclose_ int dev = open_dev(g);
        struct place place;
        struct stat st;
        int r = dev;

        place_of(&g->record, &place);
        if (r >= 0)
                r = namespace_stat_node(dev, &place.place, &st);
        if (r == -ENOENT)
                layers_set(layers, LAYER_NAMESPACE, LAYER_SHUT, "the node %s is missing", g->path);
        else if (r < 0)
                layers_set(layers, LAYER_NAMESPACE, LAYER_SHUT, "%s cannot be looked at: %s", g->path, strerror(-r));
        else if (!S_ISCHR(st.st_mode) || st.st_rdev != g->record.node.device)
                layers_set(layers, LAYER_NAMESPACE, LAYER_SHUT, "%s is another device's", g->path);
        else
                layers_set(layers, LAYER_NAMESPACE, LAYER_OPEN, "the node is %s in %s", g->path,
                           g->record.dev == GRANT_DEV_HOST ? "the host's /dev" : "a /dev of QEMU's own");
        if (layers->at[LAYER_NAMESPACE].state == LAYER_OPEN)
                check_owner(g, &st, layers);
}

static int layers_verdict(const struct layers *layers)
{
        for (enum layer layer = 0; layer < LAYER_MAX_; layer++)
                if (layers->at[layer].state == LAYER_SHUT)
                        return -EACCES;
        return 0;
}

int grant_check(struct grant *g, struct layers *layers)
{
        *layers = (struct layers){ 0 };
        if (!grant_is_alive(g))
                return -ESRCH;
        check_node(g, layers);
        (void) apparmor_check(&g->profile, g->path, layers);
        (void) cgroup_check(g->process, g->record.node.device, layers);
        return layers_verdict(layers);
}

/* --- opening --------------------------------------------------------------------------- */

static int open_namespace(struct grant *g, struct layers *layers)
{
        _autoclose_ int dev = -EBADF, host = -EBADF;
        struct place place;
        uid_t uid = 0;
        gid_t gid = 0;
        int r;

        dev = r = namespace_open_dev(g->process);
        if (r >= 0)
                host = r = namespace_open_host_dev();
        if (r >= 0) {
                g->record.dev = namespace_is_same(dev, host) ? GRANT_DEV_HOST : GRANT_DEV_OWN;
                r = save(g);
        }
        if (r >= 0)
                r = process_owner(g->process, &uid, &gid);
        place_of(&g->record, &place);
        if (r >= 0)
                r = namespace_make_node(dev, &place.place, g->record.node.device, uid, gid);
        if (r < 0)
                layers_set(layers, LAYER_NAMESPACE, LAYER_SHUT, "%s cannot be made: %s", g->path, strerror(-r));
        return r;
}

/* What an earlier life has written down of an entry is how it was before us. */
static void add_missing(struct cgroup_plan *plan, const struct cgroup_plan *missing)
{
        plan->is_v1 = missing->is_v1;
        for (size_t i = 0; i < missing->n; i++) {
                const struct cgroup_entry *e = &missing->entries[i];

                if (!cgroup_plan_find(plan, e->group, e->map))
                        cgroup_plan_add(plan, e->group, e->map, e->previous);
        }
}

static int open_cgroup(struct grant *g, struct layers *layers)
{
        _cleanup_(cgroup_plan_clear) struct cgroup_plan missing = { 0 };
        int r;

        r = cgroup_plan_make(g->process, g->record.node.device, &missing);
        if (r >= 0 && missing.n > 0) {
                add_missing(&g->record.cgroup, &missing);
                r = save(g);
                if (r >= 0)
                        r = cgroup_plan_apply(&missing, g->record.node.device);
        }
        if (r == -E2BIG)
                layers_set(layers, LAYER_CGROUP, LAYER_SHUT, "libvirt's list of devices for the domain is full");
        else if (r < 0)
                layers_set(layers, LAYER_CGROUP, LAYER_SHUT, "its control group cannot be changed: %s", strerror(-r));
        return r;
}

static bool selinux_is_enforcing(void)
{
        _autoclose_ int fd = open(SELINUX_ENFORCE, O_RDONLY | O_CLOEXEC);
        char state;

        return fd >= 0 && read(fd, &state, 1) == 1 && state == '1';
}

/* AppArmor first: our rule also lets us, who are confined too, look at /proc/PID/root. */
static int open_doors(struct grant *g, struct layers *layers)
{
        int r;

        r = save(g);
        if (r >= 0)
                r = apparmor_open(&g->profile, g->path, layers);
        if (r >= 0)
                r = open_namespace(g, layers);
        if (r >= 0)
                r = open_cgroup(g, layers);
        if (r >= 0) /* unplugged meanwhile, so that the number may be another's */
                r = input_node_is_current(&g->record.node) ? 0 : -ENODEV;
        return r < 0 ? r : grant_check(g, layers);
}

/* Takes over what there is under this name, if it is of this very process. */
static int take_over(struct grant *g)
{
        _cleanup_(grant_freep) struct grant *old = NULL;
        char name[GRANT_RECORD_NAME_MAX + 1];
        struct cgroup_plan plan;
        int r;

        grant_record_name(&g->record, name);
        r = load(g->records, name, &old);
        if (r == -ENOENT || r == -EBADMSG)
                return 0;
        if (r < 0)
                return r;
        if (!grant_record_is_of_same(&old->record, &g->record) || !streq(old->path, g->path) ||
            old->record.node.device != g->record.node.device)
                return undo(old);
        plan = g->record.cgroup;
        g->record.cgroup = old->record.cgroup;
        old->record.cgroup = plan;
        g->record.dev = old->record.dev;
        return 0;
}

/* The number of a device that was unplugged is used again. A grant of the old
 * device must not undo later, for the number, what this one finds done. */
static int close_predecessor(struct grant *g, const char *name)
{
        _cleanup_(grant_freep) struct grant *old = NULL;
        int r;

        r = load(g->records, name, &old);
        if (r < 0)
                return r == -ENOENT || r == -EBADMSG ? 0 : r;
        if (!grant_record_is_of_same(&old->record, &g->record) ||
            old->record.node.device != g->record.node.device || old->record.node.input == g->record.node.input)
                return 0;
        return undo(old);
}

static int close_predecessors(struct grant *g)
{
        char **names;
        size_t n;
        int r;

        r = grant_record_list(g->records, &names, &n);
        if (r < 0)
                return r;
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = close_predecessor(g, names[i]);
        grant_record_list_free(names, n);
        return r;
}

static int find_profile(const struct process *process, const char *uuid, struct apparmor_profile *ret_profile,
                        char ret_directory[APPARMOR_PROFILE_MAX + 1], struct layers *layers)
{
        int r = apparmor_find_profile(process, ret_profile);

        if (r == -EOPNOTSUPP)
                layers_set(layers, LAYER_APPARMOR, LAYER_SHUT, "the name of its profile is of a kind that is not supported");
        else if (r < 0)
                layers_set(layers, LAYER_APPARMOR, LAYER_SHUT, "its profile cannot be told: %s", strerror(-r));
        if (r < 0)
                return r;
        if (*ret_profile->name)
                (void) strcpy(ret_directory, ret_profile->name);
        else
                (void) snprintf(ret_directory, APPARMOR_PROFILE_MAX + 1, "libvirt-%s", uuid);
        return 0;
}

static int make_grant(int records, struct grant_record *record, const struct apparmor_profile *profile,
                      struct grant **ret)
{
        _cleanup_(grant_freep) struct grant *g = grant_new(records, record);
        int r;

        g->profile = *profile;
        r = process_pin_again(g->record.pid, g->record.start_time, &g->process);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(g);
        return 0;
}

/* Everything but the doors. */
static int prepare(const char *records, const char *uuid, const char *domain, const struct process *process,
                   const struct input_node *node, struct layers *layers, struct grant **ret)
{
        _cleanup_(grant_record_clear) struct grant_record record = { .node = *node };
        _autoclose_ int directory = open_records(records);
        struct apparmor_profile profile;
        int r;

        if (directory < 0)
                return directory;
        if (!grant_record_uuid_is_valid(uuid))
                return -EINVAL;
        if (selinux_is_enforcing()) {
                layers_set(layers, LAYER_APPARMOR, LAYER_SHUT,
                           "grants are not supported where SELinux is enforced; libvirt's own hot-attach is");
                return -EOPNOTSUPP;
        }
        r = find_profile(process, uuid, &profile, record.profile, layers);
        if (r < 0)
                return r;
        (void) strcpy(record.uuid, uuid);
        record.domain = xstrdup(domain);
        record.pid = process_pid(process);
        record.start_time = process_start_time(process);
        return make_grant(directory, &record, &profile, ret);
}

int grant_open(const char *records, const char *uuid, const char *domain, const struct process *process,
               const struct input_node *node, struct layers *layers, struct grant **ret)
{
        _cleanup_(grant_freep) struct grant *g = NULL;
        int r;

        *layers = (struct layers){ 0 };
        r = prepare(records, uuid, domain, process, node, layers, &g);
        if (r < 0)
                return r;
        r = close_predecessors(g);
        if (r >= 0)
                r = take_over(g);
        if (r < 0)
                return r;
        r = open_doors(g, layers);
        if (r < 0) {
                (void) undo(g); /* what cannot be undone stays written down */
                return r;
        }
        *ret = TAKE_PTR(g);
        return 0;
}

/* --- after a restart --------------------------------------------------------------------- */

static void remove_junk(int records, const char *name, int error)
{
        (void) log_warning_errno(error, "The record of a grant, %s, cannot be read", name);
        if (error == -EBADMSG && grant_record_remove(records, name) >= 0)
                log_warning("Removed %s, which is no record of a grant", name);
}

static void found(int records, const char *name, bool tidy, grant_found_fn fn, void *userdata)
{
        struct grant *g;
        int r;

        r = load(records, name, &g);
        if (r < 0) {
                if (tidy)
                        remove_junk(records, name, r);
                return;
        }
        if (g->process)
                (void) apparmor_find_profile(g->process, &g->profile);
        fn(g, userdata);
}

int grants_load(const char *records, bool tidy, grant_found_fn fn, void *userdata)
{
        _autoclose_ int directory = open_records(records);
        char **names;
        size_t n;
        int r;

        if (directory < 0)
                return directory;
        r = grant_record_list(directory, &names, &n);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++)
                found(directory, names[i], tidy, fn, userdata);
        grant_record_list_free(names, n);
        return 0;
}
