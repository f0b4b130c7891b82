/* master/dashboard: the page as text, made of master/dashboard/ by the build. */
#ifndef GH_DASHBOARD_H
#define GH_DASHBOARD_H

extern const char dashboard_html[];
extern const char dashboard_css[];
extern const char dashboard_js[];

#endif
