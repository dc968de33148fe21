/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/setup-domain.h"

#include <libxml/parser.h>
#include <libxml/relaxng.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define SCHEMA "/usr/share/libvirt/schemas/domain.rng"

char *setup_domain_read(const char *name)
{
        const char *top = getenv("top_srcdir");
        _autofree_ char *folder = xasprintf("%s/tests/unit/domains", top ? top : ".");
        _autofree_ char *path = xasprintf("/%s.xml", name);
        _cleanup_(root_freep) struct root *r = NULL;
        char *text = NULL;

        assert_int_equal(root_open(folder, &r), 0);
        assert_int_equal(root_read(r, path, &text, NULL), 0);
        return text;
}

bool setup_domain_has_schema(void)
{
        return access(SCHEMA, R_OK) == 0;
}

static void on_invalid(void *userdata, const char *format, ...) _printf_(2, 3);
static void on_invalid(void *userdata, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        (void) vfprintf(stderr, format, args);
        va_end(args);
}

static xmlRelaxNG *load_schema(void)
{
        xmlRelaxNGParserCtxt *parser = xmlRelaxNGNewParserCtxt(SCHEMA);
        xmlRelaxNG *schema = xmlRelaxNGParse(parser);

        xmlRelaxNGFreeParserCtxt(parser);
        assert_non_null(schema);
        return schema;
}

/* It takes half a second to load, so it lives as long as the test. */
void setup_domain_validate(const char *xml)
{
        static xmlRelaxNG *schema;
        xmlRelaxNGValidCtxt *valid;
        xmlDoc *doc;
        int r;

        if (!setup_domain_has_schema())
                return;
        schema = schema ?: load_schema();
        doc = xmlReadMemory(xml, (int) strlen(xml), NULL, NULL, 0);
        assert_non_null(doc);
        valid = xmlRelaxNGNewValidCtxt(schema);
        xmlRelaxNGSetValidErrors(valid, on_invalid, on_invalid, NULL);
        r = xmlRelaxNGValidateDoc(valid, doc);
        xmlRelaxNGFreeValidCtxt(valid);
        xmlFreeDoc(doc);
        if (r != 0)
                (void) fputs(xml, stderr);
        assert_int_equal(r, 0);
}

unsigned setup_domain_count(const char *text, const char *part)
{
        unsigned n = 0;

        for (text = strstr(text, part); text; text = strstr(text + 1, part))
                n++;
        return n;
}

bool setup_domain_has_note(const struct plan *p, enum plan_verdict verdict, const char *text)
{
        for (size_t i = 0; i < p->n_notes; i++)
                if (p->notes[i].verdict == verdict && strstr(p->notes[i].text, text))
                        return true;
        return false;
}
