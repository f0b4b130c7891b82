// Fetches URLs through a proxy by the `undici` package: the URL of the proxy, its
// user and password or "", the file of the authority of all TLS, URLs. Behind ws: and
// wss: is a server of ws_server.js: what it is told comes back. Prints a line of
// JSON for each: [status, text], or ["failed", why].
'use strict';
const fs = require('fs');
const { once } = require('events');
const { fetch, ProxyAgent, WebSocket } = require('undici');

async function talk(url, dispatcher) {
	const socket = new WebSocket(url, { dispatcher, protocols: ['one', 'two'] });
	const came = [];
	let wake = () => {};

	socket.addEventListener('message', (event) => {
		came.push(event.data);
		wake();
	});
	const next = async () => {
		while (came.length === 0)
			await new Promise((resolve) => { wake = resolve; });
		return came.shift();
	};
	await new Promise((resolve, reject) => {
		socket.addEventListener('open', resolve);
		socket.addEventListener('error', (event) => reject(event.error));
	});
	await next();
	socket.send('hello');
	const back = await next();
	socket.close(4001, 'enough');
	const [event] = await once(socket, 'close');
	return [event.code, back];
}

async function get(url, dispatcher) {
	if (/^ws/.test(url))
		return talk(url, dispatcher);
	const answer = await fetch(url, { dispatcher });
	return [answer.status, await answer.text()];
}

async function main(uri, who, ca, ...urls) {
	const tls = { ca: fs.readFileSync(ca) };
	const dispatcher = new ProxyAgent({
		uri,
		token: who && `Basic ${Buffer.from(who).toString('base64')}`,
		requestTls: tls,
		proxyTls: tls,
	});

	for (const url of urls) {
		let said;
		try {
			said = await get(url, dispatcher);
		} catch (err) {
			said = ['failed', String(err.cause?.cause || err.cause || err)];
		}
		console.log(JSON.stringify(said));
	}
	await dispatcher.destroy();
}

main(...process.argv.slice(2)).catch((err) => {
	console.error(err);
	process.exit(1);
});
