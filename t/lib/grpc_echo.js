// The service that grpc_server.js offers and grpc_client.js calls: messages are
// octets as they are.
'use strict';
const octets = (b) => b;
const method = (name, requestStream, responseStream,
	of = 't.Echo') => ({
	path: `/${of}/${name}`, requestStream, responseStream,
	requestSerialize: octets, requestDeserialize: octets,
	responseSerialize: octets, responseDeserialize: octets,
});

exports.service = {
	unary: method('Unary', false, false),
	collect: method('Collect', true, false),
	expand: method('Expand', false, true),
	chat: method('Chat', true, true),
	fail: method('Fail', false, false),
	never: method('Never', false, false),
};
exports.health = {
	check: method('Check', false, false, 'grpc.health.v1.Health'),
};
// As large as a test likes.
exports.options = {
	'grpc.max_receive_message_length': -1,
	'grpc.max_send_message_length': -1,
};
