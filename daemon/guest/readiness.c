/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/guest/readiness.h"

#include "common/log.h"

struct readiness {
        struct inputd *inputd; /* borrowed */
        const char *guest; /* borrowed */
        /* what was told last, to the target of this serial; 0: nothing */
        unsigned serial;
        enum inputd_readiness readiness;
        char *reason;
        struct inputd_call *call; /* owned; until it is replied to */
        readiness_fn fn;
        void *userdata;
};

struct readiness *readiness_new(struct inputd *inputd, const char *guest, readiness_fn fn, void *userdata)
{
        struct readiness *r = xnew0(struct readiness, 1);

        r->inputd = inputd;
        r->guest = guest;
        r->fn = fn;
        r->userdata = userdata;
        return r;
}

struct readiness *readiness_free(struct readiness *r)
{
        if (!r)
                return NULL;
        inputd_call_forget(r->call);
        free(r->reason);
        free(r);
        return NULL;
}

bool readiness_is_pending(const struct readiness *r)
{
        return r->call;
}

static void on_replied(int error, void *userdata)
{
        struct readiness *r = userdata;

        r->call = NULL;
        if (error < 0) {
                (void) log_warning_errno(error, "Guest %s: vfio-inputd does not take note of its state", r->guest);
                r->serial = 0;
        }
        r->fn(r->userdata);
}

void readiness_tell(struct readiness *r, enum inputd_readiness readiness, const char *reason)
{
        const struct inputd_target *t = inputd_find(r->inputd, r->guest);
        int e;

        if (t && r->serial == t->serial && r->readiness == readiness && streq(r->reason, reason))
                return;
        r->call = inputd_call_forget(r->call);
        r->serial = 0;
        if (!t)
                return;
        e = inputd_set_readiness(r->inputd, r->guest, readiness, reason, on_replied, r, &r->call);
        if (e < 0) {
                (void) log_error_errno(e, "Guest %s: cannot tell vfio-inputd its state", r->guest);
                return;
        }
        r->serial = t->serial;
        r->readiness = readiness;
        free(r->reason);
        r->reason = xstrdup(reason);
}
