// A shop, as node serves it: node app.js PORT. It says more of itself than
// visitors should hear, as many do.
'use strict';
const http = require('http');

const port = Number(process.argv[2]);
let shown = 0;

const pages = {
	// browsers ask each time; caches of ours may keep it
	'/': (req, res) => {
		res.setHeader('Cache-Control', 'max-age=0, must-revalidate');
		res.setHeader('CDN-Cache-Control', 'max-age=600');
		res.setHeader('Cache-Tag', 'front');
		res.end(`front page ${++shown}\n`);
	},
	// what the app knows of who asks
	'/me': (req, res) => {
		res.setHeader('Cache-Control', 'private, no-store');
		res.setHeader('Set-Cookie', 'basket=1; Path=/');
		res.setHeader('Content-Type', 'application/json');
		res.end(JSON.stringify(req.headers));
	},
	'/login': (req, res) => res.end('welcome\n'),
	'/old': (req, res) => {
		res.writeHead(302, { Location: `http://127.0.0.1:${port}/` });
		res.end();
	},
	'/boom': (req, res) => {
		res.writeHead(500);
		res.end(new Error('the database at 10.0.2.7 is gone').stack);
	},
};

http.createServer((req, res) => {
	res.setHeader('Server', 'node');
	res.setHeader('X-Powered-By', 'Express');
	const page = pages[req.url];
	if (page === undefined) {
		res.writeHead(404);
		res.end('there is no such page\n');
		return;
	}
	req.resume();
	page(req, res);
}).listen(port, '127.0.0.1');
