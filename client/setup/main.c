/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* vfioctl-setup: what "vfioctl setup" and "vfioctl doctor" run. */

#include <stdio.h>

#include "client/setup/doctor.h"

int main(int argc, char **argv)
{
        _cleanup_(root_freep) struct root *r = NULL;
        _cleanup_(machine_freep) struct machine *m = NULL;
        _cleanup_(checks_clear) struct checks c = { 0 };

        if (root_open(NULL, &r) < 0 || machine_load(r, &m) < 0 || doctor_run(m, NULL, &c) < 0)
                return 1;
        checks_print(&c, stdout);
        return checks_exit_code(&c, false);
}
