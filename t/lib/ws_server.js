// A WebSocket server by the `ws` package: echoes messages, tells of its
// handshake in the first one, closes with the code that it was closed with.
// Prints its port.
'use strict';
const { WebSocketServer } = require('ws');

const server = new WebSocketServer({
	host: '127.0.0.1',
	port: 0,
	maxPayload: 64 << 20,
	perMessageDeflate: process.argv[2] === 'deflate',
	handleProtocols: (offered) => [...offered].pop(),
});

server.on('listening', () => console.log(server.address().port));
server.on('connection', (socket, request) => {
	socket.send(JSON.stringify({
		url: request.url,
		host: request.headers.host,
		via: request.headers.via,
		extensions: socket.extensions,
	}));
	socket.on('message', (data, isBinary) =>
		socket.send(data, { binary: isBinary }));
	socket.on('close', (code, reason) =>
		console.log(`closed ${code} ${reason}`));
});
