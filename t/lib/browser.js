// The pages of a browser, by the `playwright-core` package: its program, then what
// else it is started with. Each line that it reads is an order in JSON; it
// answers each with a line, the first of all when the browser is there. It ends
// with its input, and the browser with it.
//
//   {"open": {...}}                a page in a context of its own, made with these
//                                  options: its number
//   {"page": 0, "steps": [[...]]}  from the page on, in each step a method with its
//                                  arguments, or a member: what the last one gave
//   {"page": 0, "came": "/v1/"}    {path: object} of the last answers in JSON to
//                                  what the page asked beneath that path
//
// An answer is {"value": ..., "complaints": [...]}, these of the page and since the
// last one, or {"failed": why}.
'use strict';
const readline = require('readline');
const { stripVTControlCharacters } = require('util');
const { chromium } = require('playwright-core');

const LIMIT_MS = Number(process.env.LIMIT_MS);
const pages = [];

async function keep(came, answer) {
	if (!/json/.test(answer.headers()['content-type']))
		return;
	try {
		came[new URL(answer.url()).pathname] = await answer.json();
	} catch (err) {
		// the page that asked is gone
	}
}

async function open(browser, options) {
	const context = await browser.newContext(options);
	context.setDefaultTimeout(LIMIT_MS);
	const page = await context.newPage();
	const complaints = [];
	const came = {};

	page.on('console', (said) => {
		if (said.type() === 'error' || said.type() === 'warning')
			complaints.push(said.text());
	});
	page.on('pageerror', (err) => complaints.push(String(err)));
	page.on('crash', () => complaints.push('the page has crashed'));
	page.on('response', (answer) => keep(came, answer));
	return pages.push({ page, complaints, came }) - 1;
}

async function walk(at, steps) {
	for (const [name, ...args] of steps) {
		if (!(name in at))
			throw new Error(`there is no ${name}`);
		at = typeof at[name] === 'function' ?
			await at[name](...args) : at[name];
	}
	return Buffer.isBuffer(at) ? at.toString('base64') : at;
}

async function obey(browser, order) {
	if (order.open)
		return { value: await open(browser, order.open) };
	const { page, complaints, came } = pages[order.page];
	const value = order.steps ? await walk(page, order.steps) :
		Object.fromEntries(Object.entries(came)
			.filter(([path]) => path.startsWith(order.came)));
	return { value, complaints: complaints.splice(0) };
}

async function main(program, ...args) {
	const browser = await chromium.launch({
		executablePath: program,
		args,
		chromiumSandbox: false,
		timeout: LIMIT_MS,
	});
	const say = (what) => console.log(JSON.stringify(what));

	say({ value: browser.version() });
	for await (const line of readline.createInterface(process.stdin)) {
		try {
			say(await obey(browser, JSON.parse(line)));
		} catch (err) {
			say({ failed: stripVTControlCharacters(err.message) });
		}
	}
	await browser.close();
}

main(...process.argv.slice(2)).catch((err) => {
	console.error(err);
	process.exit(1);
});
