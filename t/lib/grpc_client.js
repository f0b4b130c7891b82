// A client of @grpc/grpc-js: ADDRESS, the file of the authority ("-": none),
// and what to do; prints what came as JSON.
'use strict';
const assert = require('assert');
const crypto = require('crypto');
const fs = require('fs');
const grpc = require('@grpc/grpc-js');
const { options, service } = require('./grpc_echo.js');

const [address, ca, what, arg] = process.argv.slice(2);
const Client = grpc.makeGenericClientConstructor(service, 'Echo');
const client = new Client(address,
	ca === '-' ? grpc.credentials.createInsecure() :
		grpc.credentials.createSsl(fs.readFileSync(ca)), options);

function metadata() {
	const m = new grpc.Metadata();

	m.add('x-to', 'one');
	m.add('x-to', 'two');
	m.add('x-to-bin', Buffer.from([0, 255, 10, 13]));
	return m;
}

// A call with one answer: its message or its error, and all metadata.
function one(name, message, opts = {}) {
	return new Promise((resolve) => {
		const got = {};
		const call = client[name](message, metadata(), opts,
			(err, answer) => {
				got.code = err ? err.code : 0;
				got.details = err ? err.details : '';
				got.answer = answer;
			});

		call.on('metadata', (m) => { got.head = m.get('x-back'); });
		call.on('status', (s) => {
			got.end = s.metadata.get('x-end');
			got.bin = s.metadata.get('x-end-bin');
			got.why = s.metadata.get('x-why');
			// the callback may come behind it
			setImmediate(() => resolve(got));
		});
	});
}

function collect(parts) {
	return new Promise((resolve, reject) => {
		const call = client.collect((err, answer) =>
			err ? reject(err) : resolve(answer));

		parts.forEach((part) => call.write(part));
		call.end();
	});
}

async function expand(n, size) {
	const call = client.expand(Buffer.from(`${n} ${size}`));
	let i = 0;

	for await (const part of call) {
		assert.ok(part.equals(Buffer.alloc(size, i)), `message ${i}`);
		i++;
	}
	assert.strictEqual(i, n);
}

// Each message is sent when the one before is back: nothing may be held.
async function chat(n, size) {
	const call = client.chat();
	const sent = [];
	const next = () => {
		sent.push(crypto.randomBytes(size));
		call.write(sent[sent.length - 1]);
	};
	let i = 0;

	next();
	for await (const part of call) {
		assert.ok(part.equals(sent[i]), `message ${i}`);
		if (++i < n)
			next();
		else
			call.end();
	}
	assert.strictEqual(i, n);
}

const todo = {
	kinds: async () => {
		const got = await one('unary', Buffer.from('hello'));
		const parts = [...Array(50).keys()].map((i) =>
			crypto.randomBytes(i * 100));

		assert.strictEqual(got.code, 0, got.details);
		assert.strictEqual(got.answer.toString(), 'hello');
		// node joins them
		assert.strictEqual(got.head.join(', '), 'one, two');
		assert.strictEqual(got.end.join(', '), 'one, two');
		assert.ok(got.bin[0].equals(Buffer.from([0, 255, 10, 13])));
		assert.ok((await collect(parts)).equals(Buffer.concat(parts)));
		await expand(100, 1000);
		await expand(0, 0);
		await chat(50, 1000);
		return 'done';
	},
	big: async () => {
		const size = Number(arg);
		const message = crypto.randomBytes(size);
		const got = await one('unary', message);

		assert.strictEqual(got.code, 0, got.details);
		assert.ok(got.answer.equals(message));
		assert.ok((await collect([message, message])).equals(
			Buffer.concat([message, message])));
		await expand(5, size);
		await chat(3, size);
		return 'done';
	},
	many: async () => {
		const all = await Promise.all([...Array(Number(arg)).keys()]
			.map((i) => one('unary', Buffer.from(`${i}`))));

		all.forEach((got, i) =>
			assert.strictEqual(got.answer.toString(), `${i}`));
		return 'done';
	},
	unary: () => one('unary', Buffer.from('hello')),
	fail: () => one('fail', Buffer.from('hello')),
	never: () => one('never', Buffer.from('hello'),
		{ deadline: Date.now() + Number(arg) }),
};

todo[what]().then((got) => {
	console.log(JSON.stringify(got));
	client.close();
}, (err) => {
	console.error(err);
	process.exit(1);
});
