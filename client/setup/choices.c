/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/choices.h"

void choices_clear(struct choices *c)
{
        (void) strv_free(c->gpus);
        (void) strv_free(c->legacy_nodes);
        (void) strv_free(c->accepted);
        (void) strv_free(c->steps);
        free(c->cpus);
        free(c->connect);
        free(c->domain);
        free(c->medium);
        free(c->disk);
        free(c->bootloader);
        free(c->initramfs);
        *c = (struct choices) { 0 };
}
