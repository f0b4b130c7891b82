/* master/admin_level: from which level on the error log is written. */
#include "common/base/check.h"
#include "common/base/log.h"
#include "common/store/loglevel.h"
#include "master/admin.h"

json_t *
admin_status_level(const struct admin *a)
{
	enum log_level ordered;
	bool is_ordered = log_ordered(&ordered);
	json_t *j = json_object();

	(void)json_object_set(
	    j, "configured", json_object_get(a->conf, "log_level"));
	(void)json_object_set_new(j, "order",
	    is_ordered ? json_string(log_level_name(ordered)) : json_null());
	return j;
}

/* Who it was goes into the log, before and after, so that it is there. */
static void
level_log(struct serve_call *c, const char *word)
{
	char who[ADMIN_WHO_CAP];

	log_msg(LOG_NOTICE, "log level ordered level=%s %s", word,
	    admin_who(c, who));
}

void
admin_on_level(void *self, struct serve_call *c)
{
	const struct admin *a = self;
	span text = serve_content(c);
	enum log_level level;
	const char *word;
	bool is_auto;
	json_t *j;

	if (!admin_begin(a, c))
		return;
	j = json_loadb(text.p != NULL ? text.p : "", text.len,
	    JSON_REJECT_DUPLICATES, NULL);
	word = json_string_value(json_object_get(j, "level"));
	is_auto = word != NULL && span_eq(span_str(word), SPAN_LIT("auto"));
	if (word == NULL || json_object_size(j) != 1 ||
	    (!is_auto && !log_level_parse(span_str(word), &level))) {
		admin_refuse(c, 400,
		    "expected {\"level\": WORD}, where WORD is debug, info, "
		    "notice, warn, error, fatal or auto");
	} else {
		level_log(c, word);
		if (is_auto)
			loglevel_drop(a->boot->loglevel);
		else
			loglevel_set(a->boot->loglevel, level);
		admin_answer(c, 200, admin_status_level(a));
	}
	json_decref(j);
}
