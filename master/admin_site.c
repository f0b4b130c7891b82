/* master/admin_site: what the operator wants of one site, noted where all workers
 * see it. */
#include <string.h>

#include "common/base/check.h"
#include "common/base/log.h"
#include "common/store/closures.h"
#include "master/admin.h"

static bool
site_is_known(const json_t *conf, const char *name)
{
	const json_t *s;
	size_t i;

	json_array_foreach(json_object_get(conf, "sites"), i, s)
	{
		if (strcmp(json_string_value(s), name) == 0)
			return true;
	}
	return false;
}

static void
site_obey(const struct admin *a, struct serve_call *c, const char *site,
    enum closure_order order)
{
	char who[ADMIN_WHO_CAP];
	json_t *j;

	if (!site_is_known(a->conf, site)) {
		admin_refuse(c, 404, "there is no site of this name");
		return;
	}
	if (!closures_set(
		a->boot->closures, closure_id(span_str(site)), order)) {
		admin_refuse(
		    c, 409, "as many sites are under orders as may be");
		return;
	}
	/* who it was goes into the log */
	log_msg(LOG_NOTICE, "maintenance ordered site=%s order=%s %s", site,
	    closure_order_name(order), admin_who(c, who));
	j = json_object();
	(void)json_object_set_new(j, "ok", json_true());
	admin_answer(c, 200, j);
}

void
admin_on_maintenance(void *self, struct serve_call *c)
{
	const struct admin *a = self;
	span text = serve_content(c);
	const char *site;
	const char *word;
	json_error_t err;
	json_t *j;

	if (!admin_begin(a, c))
		return;
	j = json_loadb(text.p != NULL ? text.p : "", text.len,
	    JSON_REJECT_DUPLICATES, &err);
	site = json_string_value(json_object_get(j, "site"));
	word = json_string_value(json_object_get(j, "order"));
	if (site == NULL || word == NULL || json_object_size(j) != 2 ||
	    closure_order_find(span_str(word)) == CLOSURE_ORDERS)
		admin_refuse(c, 400,
		    "expected {\"site\": NAME, \"order\": WORD}, where WORD is "
		    "on, off or auto");
	else
		site_obey(a, c, site, closure_order_find(span_str(word)));
	json_decref(j);
}

/* Append those of a list that have an order, or those that have none. */
static void
status_sites(
    const struct admin *a, const char *list, bool is_ordered, json_t *all)
{
	const json_t *s;
	size_t i;

	json_array_foreach(json_object_get(a->conf, list), i, s)
	{
		const char *name = json_string_value(s);
		enum closure_order order =
		    closures_get(a->boot->closures, closure_id(span_str(name)));
		json_t *j;

		if ((order != CLOSURE_AUTO) != is_ordered)
			continue;
		j = json_object();
		(void)json_object_set_new(j, "site", json_string(name));
		(void)json_object_set_new(
		    j, "order", json_string(closure_order_name(order)));
		(void)json_object_set_new(
		    j, "closed", json_boolean(order != CLOSURE_OFF));
		(void)json_array_append_new(all, j);
	}
}

json_t *
admin_status_sites(const struct admin *a)
{
	json_t *all = json_array();

	status_sites(a, "sites", true, all);
	status_sites(a, "closed", false, all);
	return all;
}
