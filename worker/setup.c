/* setup: opens and closes the parts of a worker that every exchange may use. */
#include "worker/setup.h"

#include "common/tls/tls_stream.h"
#include "worker/cache/cache.h"
#include "worker/exch/crawler.h"
#include "worker/exch/plan.h"
#include "worker/exch/stage_cost.h"
#include "worker/files/files.h"
#include "worker/filter/codec.h"
#include "worker/filter/filter_decode.h"
#include "worker/forward/forward.h"
#include "worker/prepare.h"
#include "worker/tls_store.h"
#include "worker/waf/waf.h"
#include "worker/up/up.h"

/* Blocks and chunks that stay for reuse when they are free. */
#define FREE_CHUNKS 256
#define FREE_BUFS 64

int
setup_open(struct worker *w, const struct boot *b)
{
	struct conf_scope s =
	    conf_scope_of(b->conf, conf_first(b->conf, CONF_GLOBAL));

	w->boot = b;
	w->plan = prepared_plan(b->prepared);
	w->n_conns_max = (uint32_t)conf_num(&s, KEY_GLOBAL_WORKER_CONNECTIONS);
	w->memory_share = (size_t)conf_num(&s, KEY_GLOBAL_MEMORY_LIMIT) /
			  (b->n_workers > 0 ? b->n_workers : 1);
	list_init(&w->conns);
	arena_pool_init(&w->arenas, FREE_CHUNKS);
	buf_pool_init(&w->bufs, FREE_BUFS);
	pipes_init(&w->pipes);
	w->loop = loop_new();
	if (w->loop == NULL)
		return -1;
	w->dns = dns_new(w->loop, w->plan->dns);
	if (w->dns == NULL)
		return -1;
	tls_store_open(w);
	w->tls = tls_io_new(w->loop, &w->tls_shared);
	w->up = up_worker_new(w);
	w->forward = forward_worker_new(w);
	w->crawlers = crawler_worker_new(w);
	w->cache = cache_worker_new(w);
	w->waf = waf_worker_new(w);
	w->decode = filter_decode;
	w->find_dictionary = cache_dictionary;
	w->files = files_worker_new();
	stage_cost_open(w);
	return 0;
}

void
setup_close(struct worker *w)
{
	stage_cost_close(w);
	waf_worker_free(w->waf);
	files_worker_free(w->files);
	cache_worker_free(w->cache);
	codec_pool_free(w->codecs);
	crawler_worker_free(w->crawlers);
	forward_worker_free(w->forward);
	up_worker_free(w->up);
	dns_free(w->dns);
	tls_io_free(w->tls);
	loop_step(w->loop, 0);
	loop_free(w->loop);
	buf_unref(w->spare);
	buf_unref(w->gather);
	buf_pool_fini(&w->bufs);
	pipes_fini(&w->pipes);
	arena_pool_fini(&w->arenas);
}
