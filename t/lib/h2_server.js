// A server of node's http2: "plain", or a certificate and its key. Prints its
// port. Answers with what was sent, with /N octets, or with trailers; echoes
// what comes through a WebSocket's stream (RFC 8441).
'use strict';
const fs = require('fs');
const http2 = require('http2');

const settings = { enableConnectProtocol: true };
// its own default refuses many large answers at once
const maxSessionMemory = 1000;
const server = process.argv[2] === 'plain' ?
	http2.createServer({ settings, maxSessionMemory }) :
	http2.createSecureServer({ settings, maxSessionMemory,
		cert: fs.readFileSync(process.argv[2]),
		key: fs.readFileSync(process.argv[3]) });

server.on('stream', (stream, headers) => {
	const path = headers[':path'];
	const size = /^\/(\d+)$/.exec(path);

	stream.on('error', () => {});
	if (headers[':protocol'] === 'websocket') {
		stream.respond({ ':status': 200 });
		stream.pipe(stream);
	} else if (path === '/trailers') {
		stream.respond({ ':status': 200 }, { waitForTrailers: true });
		stream.on('wantTrailers', () =>
			stream.sendTrailers({ 'x-end': 'yes' }));
		stream.resume();
		stream.end('body');
	} else if (size) {
		stream.respond({ ':status': 200 });
		stream.resume();
		stream.end(Buffer.alloc(Number(size[1]), 'x'));
	} else {
		stream.respond({ ':status': 200 });
		stream.pipe(stream);
	}
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
