/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/guest/libvirt-job.h"

#include "common/log.h"
#include "daemon/guest/qemu-process.h"

static struct libvirt_job *from_job(struct job *job)
{
        return CONTAINER_OF(job, struct libvirt_job, job);
}

void libvirt_job_close_doors(struct attachment *a)
{
        _autofree_ char *error = NULL;

        if (a && attachment_undo(a, NULL, &error) < 0)
                log_warning("%s", error);
}

struct libvirt_job *libvirt_job_free(struct libvirt_job *j)
{
        if (!j)
                return NULL;
        if (j->domain)
                (void) virDomainFree(j->domain);
        process_free(j->process);
        libvirt_job_close_doors(j->attachment);
        free(j->name);
        free(j->uuid);
        free(j->refused);
        free(j->error);
        free(j);
        return NULL;
}

struct libvirt_job *libvirt_job_of(struct mail *mail)
{
        return from_job(CONTAINER_OF(mail, struct job, mail));
}

static void job_drop(struct mail *mail)
{
        (void) libvirt_job_free(libvirt_job_of(mail));
}

struct libvirt_job *libvirt_job_new(void (*work)(struct job *job), void (*done)(struct mail *mail),
                                    virDomainPtr domain)
{
        struct libvirt_job *j = xnew0(struct libvirt_job, 1);

        j->job = (struct job){ .mail = { .deliver = done, .drop = job_drop }, .work = work };
        if (domain && virDomainRef(domain) >= 0)
                j->domain = domain;
        return j;
}

void libvirt_job_find(struct job *job)
{
        struct libvirt_job *j = from_job(job);

        j->result = qemu_process_find(j->name, j->uuid, &j->process);
}

void libvirt_job_attach(struct job *job)
{
        struct libvirt_job *j = from_job(job);
        _autofree_ char *ignored = NULL;
        struct attachment_plan plan = {
                .domain = j->domain,
                .uuid = j->uuid,
                .name = j->name,
                .process = j->process,
                .records = j->records,
                .nodes = &j->nodes,
                .choice = j->choice,
                .grab_toggle = j->grab_toggle,
                .refused = j->refused,
        };

        if (j->attachment) /* of nodes that are not the guest's any more */
                (void) attachment_undo(TAKE_PTR(j->attachment), j->domain, &ignored);
        j->result = attachment_make(&plan, &j->layers, &j->attachment, &j->error);
        if (j->result < 0 && !j->error)
                j->error = xstrdup(strerror(-j->result));
}

void libvirt_job_detach(struct job *job)
{
        struct libvirt_job *j = from_job(job);

        if (j->attachment)
                j->result = attachment_undo(TAKE_PTR(j->attachment), j->domain, &j->error);
}

void libvirt_job_check(struct job *job)
{
        struct libvirt_job *j = from_job(job);

        if (j->attachment)
                attachment_check(j->attachment, &j->layers);
}

void libvirt_job_ping(struct job *job)
{
        struct libvirt_job *j = from_job(job);
        virDomainIOThreadInfoPtr *info = NULL;
        int n;

        n = virDomainGetIOThreadInfo(j->domain, &info, VIR_DOMAIN_AFFECT_LIVE);
        for (int i = 0; i < n; i++)
                virDomainIOThreadInfoFree(info[i]);
        free(info);
        j->result = n < 0 ? -EIO : 0;
        if (j->result >= 0 && j->choice == ROUTE_VIRTIO)
                (void) attachment_check_driver(j->domain, &j->error);
}
