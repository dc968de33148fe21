/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/doctor-bus.h"

/* Both services answer at once or are in trouble. */
#define LONGEST SECONDS(3)

static bool is_absent(const sd_bus_error *error)
{
        return sd_bus_error_has_name(error, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
               sd_bus_error_has_name(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER);
}

static void ask(struct client *c, const struct service *s, struct state **ret, char **ret_error, bool *ret_absent)
{
        _cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;

        if (state_read(c, s, ret, &error) >= 0)
                return;
        *ret_absent = is_absent(&error);
        (void) bus_explain(c, s, &error, ret_error);
}

struct doctor_bus *doctor_bus_load(void)
{
        struct doctor_bus *b = xnew0(struct doctor_bus, 1);
        struct client c = { .timeout_usec = LONGEST };
        int r = bus_open(&c);

        if (r < 0) {
                b->error = xstrdup(strerror(-r));
        } else {
                ask(&c, &inputd_service, &b->inputd, &b->inputd_error, &b->inputd_absent);
                ask(&c, &guestd_service, &b->guestd, &b->guestd_error, &b->guestd_absent);
        }
        (void) sd_bus_flush_close_unref(c.bus);
        return b;
}

struct doctor_bus *doctor_bus_free(struct doctor_bus *b)
{
        if (!b)
                return NULL;
        (void) state_free(b->inputd);
        (void) state_free(b->guestd);
        free(b->inputd_error);
        free(b->guestd_error);
        free(b->error);
        free(b);
        return NULL;
}
