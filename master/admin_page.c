/* master/admin_page: the dashboard: one page, its style and its script, out of the
 * program itself. Nothing else is loaded, run, framed or sent to. */
#include "common/base/check.h"
#include "master/admin.h"
#include "master/dashboard.h"

static const struct page_file {
	const char *path;
	const char *type;
	const char *text;
} files[] = {
    {"/dashboard", "text/html; charset=utf-8", dashboard_html},
    {"/dashboard.css", "text/css; charset=utf-8", dashboard_css},
    {"/dashboard.js", "text/javascript; charset=utf-8", dashboard_js},
};

/* CSP3; the empty icon is the one thing that is no request. */
static const struct {
	const char *name;
	const char *value;
} fields[] = {
    {"Content-Security-Policy",
	"default-src 'none'; script-src 'self'; style-src 'self'; "
	"connect-src 'self'; img-src data:; base-uri 'none'; "
	"form-action 'none'; frame-ancestors 'none'; "
	"require-trusted-types-for 'script'; trusted-types 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Cache-Control", "no-store"},
};

void
admin_on_page(void *self, struct serve_call *c)
{
	span path = serve_request(c)->path;

	if (!admin_begin_page(self, c))
		return;
	for (size_t i = 0; i < NELEMS(fields); i++)
		serve_field(
		    c, span_str(fields[i].name), span_str(fields[i].value));
	for (size_t i = 0; i < NELEMS(files); i++) {
		if (!span_eq(path, span_str(files[i].path)))
			continue;
		serve_answer(
		    c, 200, span_str(files[i].type), span_str(files[i].text));
		return;
	}
	UNREACHED();
}
