// A server of @grpc/grpc-js: "plain", or a certificate and its key. Prints its
// port, then a line for each call that was cancelled.
'use strict';
const fs = require('fs');
const grpc = require('@grpc/grpc-js');
const { health, options, service } = require('./grpc_echo.js');

// What the client said goes back, at the begin and at the end.
function back(call) {
	const head = new grpc.Metadata();
	const end = new grpc.Metadata();

	for (const value of call.metadata.get('x-to')) {
		head.add('x-back', value);
		end.add('x-end', value);
	}
	for (const value of call.metadata.get('x-to-bin'))
		end.add('x-end-bin', value);
	call.sendMetadata(head);
	return end;
}

const server = new grpc.Server(options);
server.addService(service, {
	unary: (call, done) => {
		const end = back(call);

		done(null, call.request, end);
	},
	collect: (call, done) => {
		const parts = [];

		call.on('data', (part) => parts.push(part));
		call.on('end', () => done(null, Buffer.concat(parts)));
	},
	expand: (call) => {
		const [n, size] = call.request.toString().split(' ').map(Number);

		for (let i = 0; i < n; i++)
			call.write(Buffer.alloc(size, i));
		call.end(back(call));
	},
	chat: (call) => {
		call.on('data', (part) => call.write(part));
		call.on('end', () => call.end());
	},
	fail: (call, done) => {
		const metadata = new grpc.Metadata();

		metadata.add('x-why', 'because');
		done({ code: grpc.status.ABORTED, details: '100% nein: ü',
			metadata });
	},
	never: (call) => {
		call.on('cancelled', () => console.log('cancelled'));
	},
});
// grpc.health.v1: the server and "good" serve, "bad" does not.
server.addService(health, {
	check: (call, done) => {
		const name = call.request.subarray(2).toString();
		const status = { '': 1, good: 1, bad: 2 }[name];

		if (status === undefined)
			done({ code: grpc.status.NOT_FOUND });
		else
			done(null, Buffer.from([8, status]));
	},
});
const credentials = process.argv[2] === 'plain' ?
	grpc.ServerCredentials.createInsecure() :
	grpc.ServerCredentials.createSsl(null, [{
		cert_chain: fs.readFileSync(process.argv[2]),
		private_key: fs.readFileSync(process.argv[3]) }]);
server.bindAsync('127.0.0.1:0', credentials, (err, port) => {
	if (err)
		throw err;
	console.log(port);
});
