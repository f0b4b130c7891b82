/* prepare_preset: what a scope says instead of an origin or in its name. */
#include "common/base/check.h"
#include "common/base/vec.h"
#include "worker/preset/preset.h"
#include "worker/prepare.h"
#include "worker/preset/page.h"
#include "worker/up/up.h"

/* RFC 9110 15.5.4 */
#define STATUS_FORBIDDEN 403u

void
prepare_server_names(struct prepared *p)
{
	for (const struct conf_section *s =
		 conf_first(p->plan.conf, CONF_UPSTREAM);
	     s != NULL; s = s->next)
		(void)map_put(&p->server_names, s->name,
		    outer_names_prepare(s, &p->arena));
}

static void
preset_check(const struct conf_scope *s, enum conf_key k,
    bool (*check)(const struct conf_value *v, struct diag *d), struct diag *d)
{
	struct conf_iter it = {NULL, 0, false};
	const struct conf_value *v;

	while ((v = conf_next(s, k, &it)) != NULL)
		(void)check(v, d);
}

/* The page of a line, read once however many routes inherit it. NULL: it is
 * wrong, and that was said when it was met first. */
static const struct page_line *
preset_page(struct prepared *p, const struct conf_value *v, struct diag *d)
{
	/* what stands for one that is wrong */
	static const char wrong;
	span key = span_of((const char *)&v, sizeof(v));
	const void *page = map_get(&p->pages, key);

	if (page == NULL) {
		const struct page_names names = {
		    &p->page_files, &p->upstreams, &up_handler};

		page = page_prepare(v, &names, &p->arena, d);
		(void)map_put(&p->pages, arena_span(&p->arena, key),
		    (void *)(uintptr_t)(page != NULL ? page : &wrong));
	}
	return page == &wrong ? NULL : page;
}

void
prepare_pages(struct prepared *p, const struct conf_scope *s,
    struct plan_pages *out, struct diag *d)
{
	struct conf_iter it = {NULL, 0, false};
	const struct conf_value *v;
	struct vec found;
	bool is_forward = s->n > 0 && s->at[0]->type == CONF_FORWARD;

	vec_init(&found);
	while ((v = conf_next(s, KEY_SCOPE_ERROR_PAGE, &it)) != NULL) {
		const struct page_line *l = preset_page(p, v, d);

		if (l != NULL && l->server != NULL && is_forward)
			diag_error(d, l->at,
			    "error_page: in a [forward] pages are files: "
			    "upstreams belong to sites");
		else if (l != NULL)
			vec_push(&found, (void *)(uintptr_t)l);
	}
	out->n = found.n;
	out->at = prepare_keep(p, &found);
}

/* The list of a scope, read once however many routes inherit it. */
static const struct moves *
preset_moves(struct prepared *p, const struct conf_scope *s, struct diag *d)
{
	const struct conf_value *v = conf_get(s, KEY_SCOPE_REDIRECT_FILE);
	struct moves *m;

	if (v == NULL)
		return NULL;
	m = map_get(&p->moves, v->text);
	if (m == NULL) {
		m = moves_prepare(v, &p->arena, d);
		(void)map_put(&p->moves, v->text, m);
	}
	return m;
}

/* The line of a key that says something, or the one before it. */
static struct place
preset_at(const struct conf_scope *s, enum conf_key k, struct place before)
{
	const struct conf_value *v = conf_get(s, k);

	return v != NULL ? v->at : before;
}

static struct plan_canon
preset_canon(const struct conf_scope *s)
{
	struct plan_canon c = {.is_asked = false};
	ptrdiff_t colon;

	c.host = conf_text(s, KEY_SCOPE_CANONICAL_HOST);
	c.is_https = conf_bool(s, KEY_LISTEN_REDIRECT_HTTPS);
	/* the words of the key stand in the order of the enum */
	c.slash = (enum plan_slash)conf_num(s, KEY_SCOPE_TRAILING_SLASH);
	colon = span_rchr(c.host, ':');
	c.has_port = colon >= 0;
	c.name = colon < 0 ? c.host : span_first(c.host, (size_t)colon);
	c.at = preset_at(s, KEY_SCOPE_TRAILING_SLASH, c.at);
	c.at = preset_at(s, KEY_LISTEN_REDIRECT_HTTPS, c.at);
	c.at = preset_at(s, KEY_SCOPE_CANONICAL_HOST, c.at);
	c.is_asked = c.host.len > 0 || c.is_https || c.slash != PLAN_SLASH_OFF;
	return c;
}

void
prepare_block_page(struct prepared *p, const struct conf_scope *s,
    struct plan_pages *pages, struct diag *d)
{
	const struct conf_value *v = conf_get(s, KEY_FORWARD_BLOCK_PAGE);
	const struct page_line *page;
	struct vec found;

	if (v == NULL)
		return;
	page =
	    page_prepare_one(v, STATUS_FORBIDDEN, &p->page_files, &p->arena, d);
	if (page == NULL)
		return;
	vec_init(&found);
	for (uint32_t i = 0; i < pages->n; i++)
		vec_push(&found, (void *)(uintptr_t)pages->at[i]);
	vec_push(&found, (void *)(uintptr_t)page);
	pages->n = found.n;
	pages->at = prepare_keep(p, &found);
}

void
prepare_presets(struct prepared *p, const struct conf_scope *s,
    struct plan_settings *set, struct diag *d)
{
	const struct conf_value *closed = conf_get(s, KEY_SCOPE_MAINTENANCE);
	span location = conf_text(s, KEY_SCOPE_REWRITE_LOCATION);

	prepare_pages(p, s, &set->pages, d);
	if (closed != NULL)
		set->maintenance = maintenance_prepare(closed, &p->arena, d);
	set->canon = preset_canon(s);
	set->moves = preset_moves(p, s, d);
	set->cors = cors_prepare(s, &p->arena, d);
	set->security =
	    security_level(conf_text(s, KEY_SCOPE_SECURITY_HEADERS));
	set->hides_origin = conf_bool(s, KEY_SCOPE_HIDE_ORIGIN);
	set->rewrites_paths = span_eq(location, SPAN_LIT("paths"));
	set->rewrites_location =
	    set->rewrites_paths || span_eq(location, SPAN_LIT("auto"));
	preset_check(s, KEY_SCOPE_REWRITE_COOKIE, cookie_edit_check, d);
	set->cookies = cookie_edit_prepare(s, &p->arena);
}

void
prepare_free_presets(struct prepared *p)
{
	map_foreach (slot, &p->server_names) {
		outer_names_fini(slot->value);
	}
	map_fini(&p->server_names);
	map_foreach (slot, &p->moves) {
		moves_fini(slot->value);
	}
	map_fini(&p->moves);
	map_fini(&p->pages);
	map_fini(&p->page_files);
}
