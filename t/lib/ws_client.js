// A WebSocket client by the `ws` package: URL, the bytes of the large message,
// "deflate" if it is to be offered, the file of the authority where there is
// TLS. With h2: or h2c: in place of wss: or ws: the socket is a stream of
// HTTP/2 (RFC 8441). Sends texts, a large binary message and a ping, checks what comes
// back, closes with 4001. Prints what the server told of the handshake.
'use strict';
const assert = require('assert');
const crypto = require('crypto');
const fs = require('fs');
const http2 = require('http2');
const { once } = require('events');
const WebSocket = require('ws');

const PAYLOAD = 64 << 20;

function open(url, tls) {
	return new WebSocket(url, ['one', 'two'], {
		maxPayload: PAYLOAD,
		perMessageDeflate: process.argv[4] === 'deflate',
		...tls,
	});
}

// A WebSocket of `ws` on a stream that was opened by extended CONNECT.
async function openH2(url, tls) {
	const to = new URL(url.replace(/^h2c:/, 'http:').replace(/^h2:/, 'https:'));
	const session = http2.connect(to.origin, tls);
	await once(session, 'remoteSettings');
	assert.ok(session.remoteSettings.enableConnectProtocol);
	const stream = session.request({
		':method': 'CONNECT', ':protocol': 'websocket',
		':path': to.pathname + to.search, 'sec-websocket-version': '13',
		'sec-websocket-protocol': 'one, two' });
	const [answer] = await once(stream, 'response');
	assert.strictEqual(answer[':status'], 200);
	const socket = new WebSocket(null);
	socket._isServer = false;
	socket._protocol = answer['sec-websocket-protocol'];
	stream.setNoDelay = () => {};
	stream.on('close', () => session.close());
	setImmediate(() => socket.setSocket(stream, Buffer.alloc(0),
		{ maxPayload: PAYLOAD }));
	return socket;
}

async function main(url, size, ca) {
	const tls = ca ? { ca: fs.readFileSync(ca), servername: 'a.test' } : {};
	const socket = await (/^h2/.test(url) ? openH2 : open)(url, tls);
	const came = [];
	let awake = () => {};

	socket.on('message', (data, isBinary) => {
		came.push({ data, isBinary });
		awake();
	});
	const next = async () => {
		while (came.length === 0)
			await new Promise((resolve) => { awake = resolve; });
		return came.shift();
	};

	await once(socket, 'open');
	assert.strictEqual(socket.protocol, 'two');
	console.log((await next()).data.toString());
	for (const text of ['', 'hello', 'gr\u00fc\u00dfe \u{1f600}']) {
		socket.send(text);
		const back = await next();
		assert.strictEqual(back.isBinary, false);
		assert.strictEqual(back.data.toString(), text);
	}
	const large = crypto.randomBytes(size);
	socket.send(large);
	const back = await next();
	assert.ok(back.isBinary && large.equals(back.data));
	socket.ping('beat');
	const [beat] = await once(socket, 'pong');
	assert.strictEqual(beat.toString(), 'beat');
	socket.close(4001, 'enough');
	const [code] = await once(socket, 'close');
	assert.strictEqual(code, 4001);
}

main(process.argv[2], Number(process.argv[3]), process.argv[5]).catch((err) => {
	console.error(err);
	process.exit(1);
});
