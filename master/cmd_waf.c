/* master/cmd_waf: words of the firewall: a request before its rules, run dry
 * by the worker's code, and its audit log as exclusions (waf_suggest). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/ipc/boot.h"
#include "master/cmd.h"
#include "master/report.h"
#include "master/waf_suggest.h"

/* Bytes of a request that is read. */
#define REQUEST_MAX (16u << 20)

static const char usage[] =
    "usage: gatehouse waf test --request RAW [--site HOST] [--from IP]\n"
    "       [--listen NAME] [--json] [-c FILE]\n"
    "       gatehouse waf suggest --log AUDIT [--all]\n"
    "RAW and AUDIT are files, or - for the standard input\n";

/* --- the request ---------------------------------------------------------- */

/* All of a file, malloc'd; NULL, and what is wrong was told. */
static char *
file_read(const char *path, size_t *len)
{
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
	char *text = malloc(REQUEST_MAX + 1);

	REQUIRE(text != NULL);
	*len = f == NULL ? 0 : fread(text, 1, REQUEST_MAX + 1, f);
	if (f == NULL || ferror(f) || *len == 0 || *len > REQUEST_MAX) {
		(void)fprintf(stderr, "gatehouse: %s: %s\n", path,
		    f == NULL || ferror(f) ? strerror(errno)
		    : *len == 0            ? "it is empty"
					   : "it has more than 16 MiB");
		free(text);
		text = NULL;
	}
	if (f != NULL && f != stdin)
		(void)fclose(f);
	return text;
}

/* Where the head ends: behind its empty line. */
static size_t
head_len(span raw)
{
	ptrdiff_t end = span_find(raw, SPAN_LIT("\r\n\r\n"));

	return end < 0 ? raw.len : (size_t)end + 4;
}

/* A head as an editor writes it, with bare line feeds, as one of HTTP. */
static span
head_with_returns(span raw, char *out)
{
	size_t n = 0;
	size_t i = 0;

	for (; i < raw.len; i++) {
		bool is_last =
		    raw.p[i] == '\n' && i > 0 && raw.p[i - 1] == '\n';

		if (raw.p[i] == '\n')
			out[n++] = '\r';
		out[n++] = raw.p[i];
		if (is_last)
			break;
	}
	if (i < raw.len)
		i++;
	memcpy(out + n, raw.p + i, raw.len - i);
	return span_of(out, n + raw.len - i);
}

static size_t
append(char *out, size_t n, span s)
{
	memcpy(out + n, s.p, s.len);
	return n + s.len;
}

/* The same request for another host. */
static span
for_host(span raw, const char *host, char *out)
{
	size_t end = head_len(raw);
	span rest = span_first(raw, end);
	span line;
	size_t n = 0;
	bool is_first = true;

	while (rest.len > 0 && span_cut(&rest, '\n', &line)) {
		if (is_first ||
		    !span_ieq(span_first(line, 5), SPAN_LIT("host:"))) {
			n = append(out, n, line);
			out[n++] = '\n';
		}
		if (is_first) {
			n = append(out, n, SPAN_LIT("Host: "));
			n = append(out, n, span_str(host));
			n = append(out, n, SPAN_LIT("\r\n"));
		}
		is_first = false;
	}
	n = append(out, n, span_from(raw, end));
	return span_of(out, n);
}

/* What is sent: the bytes as they are, unless the head has no carriage return
 * at all, or another host is asked for. */
static span
request_make(span raw, const char *host, char *room)
{
	char *out = room;

	if (span_chr(span_first(raw, head_len(raw)), '\r') < 0) {
		raw = head_with_returns(raw, out);
		out += raw.len;
	}
	return host == NULL ? raw : for_host(raw, host, out);
}

/* --- waf test ------------------------------------------------------------- */

struct test_args {
	struct command c;
	struct conf_source src;
	const char *request;
	const char *host;
};

static bool
test_read(struct test_args *t, int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		const char **to = NULL;

		if (strcmp(argv[i], "--json") == 0) {
			t->c.is_json = true;
			continue;
		}
		if (strcmp(argv[i], "--request") == 0)
			to = &t->request;
		else if (strcmp(argv[i], "--site") == 0)
			to = &t->host;
		else if (strcmp(argv[i], "--from") == 0)
			to = &t->c.from;
		else if (strcmp(argv[i], "--listen") == 0)
			to = &t->c.listen;
		else if (strcmp(argv[i], "-c") == 0)
			to = &t->src.path;
		if (to == NULL || i + 1 == argc)
			return false;
		*to = argv[++i];
	}
	return t->request != NULL;
}

static int
waf_test(const struct conf_source *src, int argc, char **argv)
{
	struct test_args t = {.src = *src,
	    .c = {.word = COMMAND_WAF_TEST,
		.out = stdout,
		.from = "127.0.0.1",
		.method = "",
		.url = "",
		.answer_status = 200}};
	char *text, *room;
	size_t len;
	span request;
	int rc;

	if (!test_read(&t, argc, argv)) {
		(void)fputs(usage, stderr);
		return EXIT_USAGE;
	}
	text = file_read(t.request, &len);
	if (text == NULL)
		return EXIT_FAILURE;
	/* each line may become one byte longer; then once more, with a host */
	room = malloc(4 * len + 64 + (t.host == NULL ? 0 : strlen(t.host)));
	REQUIRE(room != NULL);
	request = request_make(span_of(text, len), t.host, room);
	t.c.request = request.p;
	t.c.request_len = request.len;
	rc = cmd_ask_worker(&t.c, &t.src);
	free(room);
	free(text);
	return rc;
}

/* --- waf suggest ---------------------------------------------------------- */

static int
waf_suggest(int argc, char **argv)
{
	const char *path = NULL;
	bool is_all = false;
	FILE *f;
	int rc;

	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--all") == 0) {
			is_all = true;
		} else if (strcmp(argv[i], "--log") == 0 && i + 1 < argc) {
			path = argv[++i];
		} else {
			path = NULL;
			break;
		}
	}
	if (path == NULL) {
		(void)fputs(usage, stderr);
		return EXIT_USAGE;
	}
	f = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
	if (f == NULL) {
		(void)fprintf(
		    stderr, "gatehouse: %s: %s\n", path, strerror(errno));
		return EXIT_FAILURE;
	}
	rc = waf_suggest_run(f, is_all, stdout) ? EXIT_SUCCESS : EXIT_FAILURE;
	if (f != stdin)
		(void)fclose(f);
	return report_flush() == EXIT_SUCCESS ? rc : EXIT_FAILURE;
}

int
cmd_waf(const struct conf_source *src, int argc, char **argv)
{
	if (argc > 0 && strcmp(argv[0], "test") == 0)
		return waf_test(src, argc - 1, argv + 1);
	if (argc > 0 && strcmp(argv[0], "suggest") == 0)
		return waf_suggest(argc - 1, argv + 1);
	(void)fputs(usage, stderr);
	return EXIT_USAGE;
}
