// A client of node's http2: URL, the file of the authority ("-": none).
// Asks for many things at once, uploads, sends trailers, pings; checks what
// comes back and prints the protocol, and how many streams it saw at once.
'use strict';
const assert = require('assert');
const crypto = require('crypto');
const fs = require('fs');
const http2 = require('http2');
const { once } = require('events');

async function ask(session, headers, body, trailers) {
	const stream = session.request(headers, {
		endStream: body === undefined,
		waitForTrailers: trailers !== undefined,
	});
	if (trailers !== undefined)
		stream.on('wantTrailers', () => stream.sendTrailers(trailers));
	if (body !== undefined)
		stream.end(body);
	const [answer] = await once(stream, 'response');
	const parts = [];
	for await (const part of stream)
		parts.push(part);
	return { status: answer[':status'], body: Buffer.concat(parts) };
}

async function main(url, ca) {
	const session = http2.connect(url, ca === '-' ? {} : {
		ca: fs.readFileSync(ca), servername: 'a.test' });
	await once(session, 'remoteSettings');
	const many = await Promise.all([...Array(90).keys()].map((i) =>
		ask(session, { ':path': `/echo?${i}` })));
	many.forEach((answer, i) => {
		assert.strictEqual(answer.status, 200);
		assert.strictEqual(answer.body.toString(), `GET /echo?${i} `);
	});
	const large = crypto.randomBytes(3 << 20);
	const back = await Promise.all([1, 2, 3].map(() => ask(session,
		{ ':path': '/back', ':method': 'POST' }, large)));
	back.forEach((answer) => assert.ok(answer.body.equals(large)));
	const told = await ask(session, { ':path': '/trailers',
		':method': 'POST' }, 'abc', { 'x-end': 'yes' });
	assert.strictEqual(told.body.toString(), 'x-end yes');
	await new Promise((resolve, reject) => session.ping(
		(err) => err ? reject(err) : resolve()));
	const left = session.request({ ':path': '/echo' });
	left.close(http2.constants.NGHTTP2_CANCEL);
	assert.strictEqual((await ask(session, { ':path': '/echo?last' })).status,
		200);
	console.log(JSON.stringify({ alpn: session.alpnProtocol }));
	session.close();
	await once(session, 'close');
}

main(process.argv[2], process.argv[3]).catch((err) => {
	console.error(err);
	process.exit(1);
});
