/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/input/store.h"

#include <stdio.h>
#include <systemd/sd-daemon.h>

#include "common/log.h"
#include "common/mem.h"

struct store {
        char **names; /* owned; NULL where the descriptor was taken */
        int n;
};

struct store *store_new(void)
{
        struct store *s = xnew0(struct store, 1);

        s->n = sd_listen_fds_with_names(1, &s->names);
        if (s->n < 0)
                s->n = 0;
        return s;
}

struct store *store_free(struct store *s)
{
        if (!s)
                return NULL;
        for (int i = 0; i < s->n; i++) {
                if (s->names[i])
                        (void) safe_close(SD_LISTEN_FDS_START + i);
                free(s->names[i]);
        }
        free(s->names);
        free(s);
        return NULL;
}

int store_take(struct store *s, const char *name)
{
        for (int i = 0; i < s->n; i++) {
                if (!streq_null(s->names[i], name))
                        continue;
                free(s->names[i]);
                s->names[i] = NULL;
                return SD_LISTEN_FDS_START + i;
        }
        return -ENOENT;
}

const char *store_peek(struct store *s, const char *prefix)
{
        for (int i = 0; i < s->n; i++)
                if (s->names[i] && startswith(s->names[i], prefix))
                        return s->names[i];
        return NULL;
}

void store_put(const char *name, int fd)
{
        char state[128];
        int r;

        /* Polling a uinput descriptor for hang-up tells nothing: FDPOLL=0. */
        (void) snprintf(state, sizeof(state), "FDSTORE=1\nFDPOLL=0\nFDNAME=%s", name);
        r = sd_pid_notify_with_fds(0, 0, state, &fd, 1);
        if (r < 0)
                (void) log_warning_errno(r, "%s will not survive a restart: systemd did not take it", name);
}

void store_remove(const char *name)
{
        char state[128];

        (void) snprintf(state, sizeof(state), "FDSTOREREMOVE=1\nFDNAME=%s", name);
        (void) sd_notify(0, state);
}
