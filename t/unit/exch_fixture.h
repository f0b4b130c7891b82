/* exch_fixture: an exchange of a prepared configuration without any socket, for
 * unit tests of stages, handlers, variables and logs. */
#ifndef GH_EXCH_FIXTURE_H
#define GH_EXCH_FIXTURE_H

#include "common/base/diag.h"
#include "common/conf/conf.h"
#include "common/ipc/boot.h"
#include "worker/exch/exch.h"
#include "worker/exch/plan.h"
#include "worker/prepare.h"

struct fixture {
	struct diag *diag;
	struct conf_tree *conf;
	struct prepared *prepared;
	struct boot boot;
	struct worker w;
	struct counter_set counters;
	struct exch *x; /* the running one, or NULL */
};

/* Prepare a configuration; a problem in it fails the test. */
struct fixture *fixture_new(const char *conf);
void fixture_free(struct fixture *f);

/* The messages for a configuration that is refused (no message fails the test);
 * malloc'd. */
char *fixture_refused(const char *conf);

/* Begin an exchange with this request on the first listen, from 198.51.100.7
 * port 4711 to port 80; the one before it ends. Change x->client.peer before
 * the first stage for another client. */
struct exch *fixture_request(struct fixture *f, const char *head);

/* Run the request's stages up to the handler. The verdict of the last one. */
enum verdict fixture_stages(struct exch *x);
/* The same and the handler's open(). */
enum verdict fixture_open(struct exch *x);

/* A field's value as a NUL-terminated copy in the arena, lines joined; NULL
 * when it is not there. */
const char *fixture_field(
    struct exch *x, struct http_fields *f, const char *name);
/* All content of the own answer, in the arena. */
const char *fixture_content(struct exch *x);
/* A copy with a NUL in the arena. */
const char *fixture_str(struct exch *x, span s);

#endif
