/* exch/worker: what all code of a worker shares and only one place makes. */
#include "worker/exch/worker.h"

#include "common/base/date.h"

span
worker_date(struct worker *w)
{
	int64_t now_s = clock_wall_s(worker_clock(w));

	if (now_s != w->date_s) {
		w->date_s = now_s;
		date_format_http(now_s, w->date_text);
	}
	return span_of(w->date_text, DATE_HTTP_LEN);
}
