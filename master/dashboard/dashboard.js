"use strict";
/* dashboard: draws what GET /v1/status, /v1/traffic and /v1/why tell. All of it
 * is put in as text, never as markup: paths, names and agents are strangers'
 * words. The token is kept in this tab's sessionStorage and goes nowhere but
 * into Authorization. */

const EVERY_MS = 2000;
const KEPT = 300; // seconds that the steward keeps
const PARTS = ["version", "state", "uptime_s", "workers", "upstreams", "caches",
  "limits", "top", "blocked", "waf_rules", "reloads", "certificates", "bans"];
const SVG = "http://www.w3.org/2000/svg";
const WIDE = 600;
const HIGH = 120;
const FOOT = 14;

const byId = (id) => document.getElementById(id);
let seconds = [];
let paused = false;
let timer = 0;
let wasRefused = false;

/* --- what is asked -------------------------------------------------------- */

const getToken = () => sessionStorage.getItem("token");

async function ask(path) {
  const token = getToken();
  const answer = await fetch(path, {
    cache: "no-store",
    credentials: "omit",
    headers: token ? { Authorization: "Bearer " + token } : {},
  });
  if (answer.status === 401) throw new Error("token");
  const got = await answer.json();
  if (!answer.ok) throw new Error(got.error);
  return got;
}

function mergeSeconds(more) {
  const last = seconds.length ? seconds[seconds.length - 1].number : 0;
  // the steward began anew: so do its numbers
  if (more.length && more[more.length - 1].number < last) seconds = [];
  const from = seconds.length ? last : 0;
  seconds = seconds.concat(more.filter((s) => s.number > from)).slice(-KEPT);
}

async function look() {
  const last = seconds.length ? 10 : KEPT;
  const [status, traffic, why] = await Promise.all([
    ask("v1/status?only=" + PARTS.join()), ask("v1/traffic?last=" + last),
    ask("v1/why?last=10&refused")]);
  mergeSeconds(traffic.seconds);
  draw(status, traffic, why);
}

function say(text) {
  // read out when it changes alone
  if (byId("state").textContent !== text) byId("state").textContent = text;
}

function showLogin() {
  byId("login").hidden = false;
  byId("main").hidden = true;
  byId("forget").hidden = true;
  byId("refused").textContent = getToken() ? "This is not the token." : "";
  byId("token").setAttribute("aria-invalid", String(Boolean(getToken())));
  sessionStorage.removeItem("token");
  wasRefused = true;
  byId("token").focus();
  say("a token is needed");
}

async function tick() {
  clearTimeout(timer);
  try {
    await look();
    byId("login").hidden = true;
    byId("main").hidden = false;
    byId("forget").hidden = !getToken();
    if (wasRefused) byId("main").focus({ preventScroll: true });
    wasRefused = false;
  } catch (err) {
    if (err.message === "token") {
      showLogin();
      return;
    }
    say("no answer: " + err.message);
  }
  if (!paused) timer = setTimeout(tick, EVERY_MS);
}

/* --- making elements ------------------------------------------------------ */

function make(name, text, kind) {
  const e = document.createElement(name);
  if (text !== undefined) e.textContent = text;
  if (kind) e.className = kind;
  return e;
}

function shape(name, attributes, text) {
  const e = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
  if (text !== undefined) e.textContent = text;
  return e;
}

/* {what it is about, whatever its place: element} of what keys can reach. */
const reached = (at) => new Map([...at.querySelectorAll("[tabindex], summary")].map(
  (e) => [e.ariaLabel || e.parentElement.dataset.id, e]));

/* What takes the place of the one that had the focus. */
function refocus(now, key, place) {
  const others = [...now.values()];
  const next = now.get(key) || others[Math.min(place, others.length - 1)] || byId("main");
  next.focus({ preventScroll: true });
}

/* Anew only when it differs: what is open, focused or scrolled stays so. */
function fill(id, made) {
  const at = byId(id);
  const text = made.map((e) => e.outerHTML).join("");
  if (at.made === text) return;
  at.made = text;
  const before = reached(at);
  const place = [...before.values()].indexOf(document.activeElement);
  const open = new Set([...at.querySelectorAll("details[open]")].map((d) => d.dataset.id));
  const scrolled = [...before].map(([key, e]) => [key, e.scrollLeft]);
  at.replaceChildren(...made);
  for (const d of at.querySelectorAll("details")) d.open = open.has(d.dataset.id);
  const now = reached(at);
  for (const [key, left] of scrolled) if (left && now.has(key)) now.get(key).scrollLeft = left;
  if (place >= 0) refocus(now, [...before.keys()][place], place);
}

/* columns: [heading, what of a row, is it a number]; the name is the same each
 * time, more of the caption need not be. */
function table(name, columns, rows, more = "") {
  const box = make("div", undefined, "scroll");
  if (!rows.length) {
    box.append(make("h3", name + more), make("p", "none", "none"));
    return box;
  }
  const t = box.appendChild(make("table"));
  t.appendChild(make("caption", name + more));
  box.tabIndex = 0;
  box.setAttribute("role", "region");
  box.setAttribute("aria-label", name);
  const head = t.appendChild(make("thead")).appendChild(make("tr"));
  for (const [heading, , isNumber] of columns) {
    const th = head.appendChild(make("th", heading, isNumber ? "n" : ""));
    th.scope = "col";
  }
  const body = t.appendChild(make("tbody"));
  for (const row of rows) {
    const tr = body.appendChild(make("tr"));
    for (const [, of, isNumber] of columns) {
      const value = of(row);
      tr.appendChild(make("td", value === null ? "-" : String(value),
        isNumber ? "n" : ""));
    }
  }
  return box;
}

/* --- numbers -------------------------------------------------------------- */

const round = (n, digits) => n.toFixed(digits);
const ms = (n) => n === null ? "-" : round(n, n < 10 ? 2 : 0) + " ms";
const rate = (n) => round(n, n < 100 ? 1 : 0);

function bytes(n) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let i = 0;
  for (; n >= 1024 && i + 1 < units.length; i++) n /= 1024;
  return round(n, i ? 1 : 0) + " " + units[i];
}

function age(s) {
  if (s >= 86400) return Math.floor(s / 86400) + "d" + Math.floor(s % 86400 / 3600) + "h";
  if (s >= 3600) return Math.floor(s / 3600) + "h" + Math.floor(s % 3600 / 60) + "m";
  return s >= 60 ? Math.floor(s / 60) + "m" + s % 60 + "s" : s + "s";
}

const share = (part, all) => all ? round(100 * part / all, 1) + " %" : "-";
const clock = (time) => time.slice(0, 19).replace("T", " ");

/* --- charts --------------------------------------------------------------- */

const perSecond = (of) => (s) => s.took_ms ? of(s) * 1000 / s.took_ms : 0;
const CHARTS = [
  { id: "requests", title: "Requests a second", unit: rate, lines: [
    ["all", "blue", perSecond((s) => s.requests)]] },
  { id: "latency", title: "Latency", unit: ms, lines: [
    ["p50", "green", (s) => s.p50_ms], ["p90", "amber", (s) => s.p90_ms],
    ["p99", "red", (s) => s.p99_ms]] },
  { id: "status", title: "Answers a second", unit: rate, lines: [
    ["2xx", "green", perSecond((s) => s.status["2xx"])],
    ["3xx", "blue", perSecond((s) => s.status["3xx"])],
    ["4xx", "amber", perSecond((s) => s.status["4xx"])],
    ["5xx", "red", perSecond((s) => s.status["5xx"])],
    ["none", "violet", perSecond((s) => s.status.none)]] },
  { id: "cache", title: "Cache hits", unit: (n) => round(n, 0) + " %", most: 100,
    lines: [["of what was looked up", "violet",
      (s) => s.cache_lookups ? 100 * s.cache_hits / s.cache_lookups : null]] },
];

/* A line is broken where there is nothing to say. */
function path(of, most) {
  let text = "";
  let pen = "M";
  seconds.forEach((s, i) => {
    const v = of(s);
    if (v === null) {
      pen = "M";
      return;
    }
    const x = WIDE - (seconds.length - 1 - i) * WIDE / (KEPT - 1);
    const y = HIGH - FOOT - Math.min(v / most, 1) * (HIGH - FOOT - 12);
    text += pen + x.toFixed(1) + " " + y.toFixed(1);
    // a point alone is a short line
    if (pen === "M") text += "h1";
    pen = "L";
  });
  return text;
}

function chart(c) {
  const values = c.lines.flatMap(([, , of]) => seconds.map(of)).filter((v) => v !== null);
  const most = c.most || Math.max(...values, 0) || 1;
  const last = seconds[seconds.length - 1];
  const told = c.lines.map(([name, , of]) => {
    const v = last ? of(last) : null;
    return name + " " + (v === null ? "-" : c.unit(v));
  });
  const figure = make("figure");
  figure.id = "chart-" + c.id;
  figure.appendChild(make("h3", c.title));
  const picture = figure.appendChild(shape("svg", {
    viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: "none", role: "img",
    "aria-label": `${c.title}: the last second ${told.join(", ")}; at most ${
      values.length ? c.unit(Math.max(...values)) : "-"} in ${seconds.length} seconds` }));
  for (const y of [12, HIGH - FOOT])
    picture.appendChild(shape("line", { x1: 0, x2: WIDE, y1: y, y2: y, class: "rule" }));
  for (const [, colour, of] of c.lines)
    picture.appendChild(shape("path", { d: path(of, most), class: "line " + colour }));
  const caption = figure.appendChild(make("figcaption", "top line " + c.unit(most) + "; now "));
  c.lines.forEach(([, colour], i) => {
    caption.append(i ? ", " : "");
    caption.appendChild(make("span", told[i], "key " + colour));
  });
  return figure;
}

/* --- the parts of the page ------------------------------------------------ */

function drawNow(status, traffic) {
  const { now, total } = traffic;
  const connections = status.workers.reduce((n, w) => n + w.connections, 0);
  const facts = [
    ["rps", "requests a second", rate(now.requests_per_s)],
    ["p50", "latency p50", ms(now.p50_ms)], ["p90", "p90", ms(now.p90_ms)],
    ["p99", "p99", ms(now.p99_ms)],
    ["errors", "5xx", share(now.status["5xx"], now.requests)],
    ["hits", "cache hits", share(now.cache_hits, now.cache_lookups)],
    ["sent", "sent a second", bytes(now.sent_bytes_per_s)],
    ["connections", "connections", connections],
    ["bans", "banned", status.bans.count],
    ["total", "requests in all", total.requests],
    ["total-2xx", "2xx in all", total.status["2xx"]],
    ["total-4xx", "4xx in all", total.status["4xx"]],
    ["total-5xx", "5xx in all", total.status["5xx"]],
  ];
  fill("now", facts.map(([id, name, value]) => {
    const box = make("div");
    box.appendChild(make("dt", name));
    box.appendChild(make("dd", String(value))).id = "now-" + id;
    return box;
  }));
}

function drawHealth(upstreams) {
  fill("health", upstreams.map((u) => {
    const box = make("div", undefined, "card");
    box.appendChild(make("h3", u.name + (u.panic ? " (panic: all are used)" : "")));
    const list = box.appendChild(make("ul", undefined, "map"));
    for (const s of u.servers) {
      const at = s.at && s.at.length ? " at " + s.at[0] : "";
      const why = s.why ? ", " + s.why : "";
      list.appendChild(make("li", `${s.address}${at}: ${s.health || "unknown"}${why}; ${
        s.active} active, ${s.requests} tries, ${s.failures} failed`, s.health));
    }
    return box;
  }));
  if (!upstreams.length) fill("health", [make("p", "There are no upstreams.", "none")]);
}

const place = (l) => l.file === null ? "-" : l.file + ":" + l.line;

function drawBlocked(blocked, decisions) {
  fill("blocked", [table("What decided", [
    ["times", (l) => l.count, true], ["came to", (l) => l.fault],
    ["by", (l) => l.what + " " + l.text], ["line", place]], blocked.lines,
  `, in the last ${blocked.of} of them`)]);
  const box = make("div", undefined, "scroll");
  box.appendChild(make("h3", "The last ones, and why"));
  for (const d of decisions) {
    const one = box.appendChild(make("details"));
    one.dataset.id = d.request_id + d.time;
    one.appendChild(make("summary",
      `${clock(d.time)} ${d.status || "no answer"} ${d.method} ${d.host}${d.path} from ${d.client}`));
    one.appendChild(make("pre", d.lines.map((l) =>
      `${l.what.padEnd(16)} ${l.text}${l.file === null ? "" : `  (${place(l)})`}`).join("\n") +
      `\nid               ${d.request_id}`));
  }
  if (!decisions.length) box.appendChild(make("p", "none", "none"));
  fill("recent", [box]);
}

function drawRules(rules) {
  fill("rules", rules.length ? [table("Rules of the firewalls", [
    ["rule", (r) => r.rule === null ? "others" : r.rule, true],
    ["refused", (r) => r.refused, true], ["matched", (r) => r.matched, true]], rules)] : []);
}

function drawTop(top) {
  const kinds = [["clients", "Clients"], ["paths", "Paths"], ["user_agents", "User agents"],
    ["users", "Users of forward proxies"], ["domains", "Their hosts"],
    ["users_by_bytes", "Users by bytes"], ["domains_by_bytes", "Hosts by bytes"]];
  fill("top", kinds.filter(([key], i) => i < 3 || top[key].length)
    .map(([key, name]) => table(name, [
      ["about", (h) => key.endsWith("bytes") ? bytes(h.count) : h.count, true],
      ["name", (h) => h.name]], top[key])));
}

function drawInside(s) {
  fill("workers", [table("Workers", [
    ["worker", (w) => w.slot + "." + w.incarnation], ["pid", (w) => w.pid, true],
    ["generation", (w) => w.generation, true], ["state", (w) => w.state],
    ["connections", (w) => w.connections, true], ["tunnels", (w) => w.tunnels, true],
    ["lag", (w) => ms(w.lag_us / 1000), true],
    ["heartbeat", (w) => w.heartbeat_age_ms === null ? null
      : age(Math.floor(w.heartbeat_age_ms / 1000)) + " ago", true]], s.workers)]);
  fill("caches", s.caches.length ? [table("Caches", [
    ["cache", (c) => c.name], ["used", (c) => bytes(c.used), true],
    ["of", (c) => bytes(c.memory), true], ["objects", (c) => c.objects, true],
    ["evicted", (c) => c.evicted, true]], s.caches)] : []);
  fill("limits", s.limits.length ? [table("Limits", [
    ["limit", (l) => l.name], ["passed", (l) => l.passed, true],
    ["held", (l) => l.held, true], ["refused", (l) => l.refused, true]], s.limits)] : []);
  fill("certificates", s.certificates.length ? [table("Certificates", [
    ["names", (c) => c.names.join(" ")], ["ends", (c) => c.ends && clock(c.ends)],
    ["staple", (c) => c.state], ["file", (c) => c.file]], s.certificates)] : []);
  fill("reloads", [table("Reloads", [
    ["time (UTC)", (r) => clock(r.time)], ["result", (r) => r.ok ? "ok" : "refused"],
    ["generation", (r) => r.generation, true], ["problem", (r) => r.problem]], s.reloads)]);
}

function draw(status, traffic, why) {
  say(`${status.version}, ${status.state}, up ${
    status.uptime_s < 60 ? "for less than a minute" : age(status.uptime_s - status.uptime_s % 60)}`);
  drawNow(status, traffic);
  fill("charts", CHARTS.map(chart));
  drawHealth(status.upstreams);
  drawBlocked(status.blocked, why.decisions);
  drawRules(status.waf_rules);
  drawTop(status.top);
  drawInside(status);
}

/* --- what is clicked ------------------------------------------------------ */

byId("pause").addEventListener("click", () => {
  paused = !paused;
  byId("pause").setAttribute("aria-pressed", String(paused));
  if (paused) clearTimeout(timer);
  else tick();
});
byId("forget").addEventListener("click", () => {
  sessionStorage.removeItem("token");
  location.reload();
});
byId("login").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("token", byId("token").value);
  byId("token").value = "";
  tick();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && !paused) tick();
});
tick();
