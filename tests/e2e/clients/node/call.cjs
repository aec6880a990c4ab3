// node call.cjs BASE_URL KEY METHOD [ARGUMENT...]: one call of the SDK as its users make it, and what came of it as JSON.
// METHOD is `download`, or one of the generic `get`, `post` and `delete`, whose first argument is a path. All arguments
// are JSON. NODE_PATH says where the SDK is.
const { connect } = require("videodb");

const [baseUrl, key, method, ...texts] = process.argv.slice(2);
const args = texts.map((text) => JSON.parse(text));
const connection = connect(key, baseUrl);

const called =
  method === "download"
    ? connection.download(...args)
    : connection.vhttp[method](args[0].split("/"), ...args.slice(1)).then((reply) => reply.data ?? null);

called.then(
  (result) => console.log(JSON.stringify({ result })),
  (error) => console.log(JSON.stringify({ raised: error.constructor.name, message: error.message, cause: error.cause ?? null })),
);
