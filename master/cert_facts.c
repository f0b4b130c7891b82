/* master/cert_facts: from what was prepared to JSON. */
#include "master/cert_facts.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/base/check.h"

static const char *const from_names[] = {
    [BOOT_STAPLE_NONE] = "none",
    [BOOT_STAPLE_FILE] = "file",
    [BOOT_STAPLE_FETCH] = "fetch",
};

static json_t *
facts_names(const char *names)
{
	span rest = span_str(names);
	json_t *all = json_array();
	span name;

	while (span_cut(&rest, ' ', &name))
		if (name.len > 0)
			(void)json_array_append_new(
			    all, json_stringn(name.p, name.len));
	return all;
}

static json_t *
facts_one(const struct boot_certificate *c)
{
	json_t *file = json_string(c->file);
	json_t *j = json_object();

	/* not UTF-8: a path may be anything */
	(void)json_object_set_new(
	    j, "file", file != NULL ? file : json_string("?"));
	(void)json_object_set_new(j, "names", facts_names(c->names));
	(void)json_object_set_new(j, "ends_s", json_integer(c->ends_s));
	(void)json_object_set_new(j, "fingerprint", json_string(c->print));
	(void)json_object_set_new(
	    j, "staple", json_string(from_names[c->from]));
	if (c->from == BOOT_STAPLE_FILE) {
		(void)json_object_set_new(j, "word", json_string(c->word));
		(void)json_object_set_new(
		    j, "since_s", json_integer(c->since_s));
		(void)json_object_set_new(
		    j, "until_s", json_integer(c->until_s));
	}
	if (c->from == BOOT_STAPLE_FETCH)
		(void)json_object_set_new(j, "pem", json_string(c->pem));
	return j;
}

static char *
facts_render(const struct prepared *p)
{
	const struct boot_certificate *all;
	uint32_t n = worker_prepare_certificates(p, &all);
	json_t *list = json_array();
	char *text;

	for (uint32_t i = 0; i < n; i++)
		(void)json_array_append_new(list, facts_one(&all[i]));
	text = json_dumps(list, JSON_COMPACT);
	REQUIRE(text != NULL);
	json_decref(list);
	return text;
}

int
cert_facts_new(const struct prepared *p)
{
	int fd = memfd_create("gatehouse", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	char *text;
	size_t len;
	bool is_ok;
	int err;

	if (fd < 0)
		return -1;
	text = facts_render(p);
	len = strlen(text);
	is_ok =
	    pwrite(fd, text, len, 0) == (ssize_t)len &&
	    fcntl(fd, F_ADD_SEALS,
		F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0;
	err = errno;
	free(text);
	if (is_ok)
		return fd;
	(void)close(fd);
	errno = err;
	return -1;
}
