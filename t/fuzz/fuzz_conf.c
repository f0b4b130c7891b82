/* fuzz/fuzz_conf: any bytes as a configuration. Nothing crashes, not even
 * preparing what is left of a wrong one; a tree is there exactly when no error
 * is; what it dumps loads again and dumps the same. */
#include "t/fuzz/fuzz.h"

#include <stdio.h>

#include "common/conf/conf_int.h"
#include "common/ipc/boot.h"
#include "worker/prepare.h"

/* Rows of parts to come are tried by every second input. */
#define ALL_PARTS 10

static char *
dump(const struct conf_tree *t)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	REQUIRE(f != NULL);
	conf_dump(t, f);
	REQUIRE(fclose(f) == 0);
	return text;
}

static struct conf_tree *
load(span text, unsigned part)
{
	struct diag *d = diag_new();
	struct conf_tree *t = conf_load_part(NULL, "fuzz", text, part, d);
	char *said = diag_render(d);

	REQUIRE((t == NULL) == (diag_count(d, DIAG_ERROR) > 0));
	free(said);
	diag_free(d);
	return t;
}

/* Words by which a configuration reads files: what they hold is not the
 * fuzzer's, and a pattern may take long. */
static bool
reads_files(span text)
{
	return span_find(text, SPAN_LIT("include")) >= 0 ||
	       span_find(text, SPAN_LIT("file:")) >= 0;
}

/* A secret is not written out. */
static bool
has_secret(span text)
{
	return span_find(text, SPAN_LIT("secret")) >= 0;
}

/* A plan is there exactly when neither reading nor preparing found an error. */
static void
prepare(span text)
{
	struct diag *d = diag_new();
	struct boot b = {.conf = conf_read_text("fuzz", text, d)};
	struct prepared *p = worker_prepare(&b, d);

	REQUIRE((p == NULL) == (diag_count(d, DIAG_ERROR) > 0));
	worker_prepare_free(p);
	/* the boot's tree is const to those who serve from it */
	conf_free((struct conf_tree *)(uintptr_t)b.conf);
	diag_free(d);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	span text = span_of((const char *)data, size);
	unsigned part = size % 2 == 0 ? CONF_PART : ALL_PARTS;
	struct conf_tree *t;
	char *first;
	char *second;

	if (reads_files(text))
		return 0;
	prepare(text);
	t = load(text, part);
	if (t == NULL)
		return 0;
	first = dump(t);
	conf_free(t);
	t = load(span_str(first), part);
	REQUIRE(t != NULL);
	second = dump(t);
	REQUIRE(has_secret(text) || strcmp(first, second) == 0);
	conf_free(t);
	free(first);
	free(second);
	return 0;
}
