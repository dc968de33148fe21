/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "client/json.h"
#include "client/show.h"
#include "client/text.h"
#include "client/verbs.h"

/* What is known of vfio-guestd: its state, or why there is none. Its absence is
 * no failure, the rest works without it. */
struct guestd_view {
        struct state *state; /* owned, or NULL */
        char *sentence; /* owned; then why not */
        bool running;
};

static void guestd_view_clear(struct guestd_view *v)
{
        state_free(v->state);
        free(v->sentence);
}

static void look_at_guestd(struct client *c, struct guestd_view *ret)
{
        _cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;

        ret->running = true;
        if (state_read(c, &guestd_service, &ret->state, &error) >= 0)
                return;
        (void) bus_explain(c, &guestd_service, &error, &ret->sentence);
        if (sd_bus_error_has_name(&error, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
            sd_bus_error_has_name(&error, SD_BUS_ERROR_NAME_HAS_NO_OWNER)) {
                free(ret->sentence);
                ret->sentence = xstrdup("vfio-guestd is not running.");
                ret->running = false;
        }
}

static void print_json(const struct state *inputd, const struct guestd_view *guestd)
{
        _cleanup_(json_putp) json_object *o = json_object_new_object();
        const struct manager *m = &inputd->manager->manager;
        json_object *service = json_object_new_object();

        json_add_string(o, "version", m->version);
        json_add_string(o, "active", m->active);
        json_add_bool(o, "paused", m->paused);
        json_add_strings(o, "toggle", m->toggle);
        json_object_object_add(o, "targets", json_from_state(inputd, OBJECT_TARGET));
        json_object_object_add(o, "devices", json_from_state(inputd, OBJECT_DEVICE));
        json_object_object_add(o, "guests",
                               guestd->state ? json_from_state(guestd->state, OBJECT_GUEST) : json_object_new_array());
        json_add_bool(service, "running", guestd->running);
        json_add_string(service, "version", guestd->state ? guestd->state->manager->manager.version : NULL);
        json_add_string(service, "libvirt", guestd->state ? guestd->state->manager->manager.libvirt : NULL);
        json_add_string(service, "problem", guestd->sentence);
        json_object_object_add(o, "guestd", service);
        json_print(o, true);
}

static void print_manager(const struct manager *m)
{
        _autofree_ char *keys = text_hotkey(m->toggle), *hotkey = text_clean(keys);
        _autofree_ char *active = text_clean(m->active), *version = text_clean(m->version);

        printf("vfio-inputd %s\n", version);
        if (m->paused)
                printf("%sPaused: no device is grabbed and nothing is forwarded. Resume with: vfioctl resume%s\n",
                       text_begin(TEXT_RED), text_end(TEXT_RED));
        printf("Active target: %s%s%s\n", text_begin(TEXT_BOLD), active, text_end(TEXT_BOLD));
        printf("Hotkey: %s\n", hotkey);
}

static void print_words(const struct state *inputd, const struct guestd_view *guestd)
{
        print_manager(&inputd->manager->manager);
        puts("\nTargets");
        show_targets(inputd);
        puts("\nDevices");
        show_devices(inputd, false);
        if (state_count(inputd, OBJECT_DEVICE) == 0)
                puts("  none");
        puts("\nGuests");
        if (guestd->state) {
                show_guests(guestd->state);
                if (state_count(guestd->state, OBJECT_GUEST) == 0)
                        puts("  none");
        } else {
                _autofree_ char *sentence = text_clean(guestd->sentence);

                printf("  %s\n", sentence);
        }
}

enum outcome verb_status(struct client *c, char **args)
{
        _cleanup_(guestd_view_clear) struct guestd_view guestd = { 0 };
        _cleanup_(state_freep) struct state *inputd = NULL;
        _cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;

        if (state_read(c, &inputd_service, &inputd, &error) < 0)
                return bus_fail(c, &inputd_service, &error);
        look_at_guestd(c, &guestd);
        if (client_json(c))
                print_json(inputd, &guestd);
        else
                print_words(inputd, &guestd);
        return OUTCOME_OK;
}
