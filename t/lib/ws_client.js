// A WebSocket client by the `ws` package: URL, then the bytes of the large
// message. Sends texts, a large binary message and a ping, checks what comes
// back, closes with 4001. Prints what the server told of the handshake.
'use strict';
const assert = require('assert');
const crypto = require('crypto');
const { once } = require('events');
const WebSocket = require('ws');

async function main(url, size) {
	const socket = new WebSocket(url, ['one', 'two'], {
		maxPayload: 64 << 20,
		perMessageDeflate: process.argv[4] === 'deflate',
	});
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

main(process.argv[2], Number(process.argv[3])).catch((err) => {
	console.error(err);
	process.exit(1);
});
