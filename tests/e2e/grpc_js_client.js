// SPDX-License-Identifier: Apache-2.0
// Calls a gateway with @grpc/grpc-js and prints what came back as one JSON object.
//   node grpc_js_client.js ADDRESS PROTO_FOLDER identity|deflate|gzip
"use strict";

const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const [address, protos, encoding] = process.argv.slice(2);
const algorithm = grpc.compressionAlgorithms[encoding];
const { jina } = grpc.loadPackageDefinition(
  loader.loadSync("jina.proto", { includeDirs: [protos], keepCase: true, enums: String }));
const options = {
  "grpc.default_compression_algorithm": algorithm,
  "grpc.default_compression_level": 2,
};
const credentials = grpc.credentials.createInsecure();
const deadline = () => ({ deadline: Date.now() + 60000 });

const request = (number, more = {}) => ({
  header: { request_id: String(number), ...more },
  data: { docs: { docs: [{ id: "doc", text: "hello ".repeat(2000) }] } },
});

function unary() {
  const client = new jina.JinaSingleDataRequestRPC(address, credentials, options);
  return new Promise((resolve, reject) => {
    client.process_single_data(request(1), deadline(), (error, answer) =>
      error ? reject(error) : resolve(answer.data.docs.docs[0].text.length));
  });
}

function stream() {
  const client = new jina.JinaRPC(address, credentials, options);
  const metadata = new grpc.Metadata();
  metadata.set("__results_in_order__", "true");
  return new Promise((resolve, reject) => {
    const answers = [];
    const call = client.Call(metadata, deadline());
    call.on("data", (answer) => answers.push(
      [answer.header.request_id, answer.header.status ? answer.header.status.code : "none"]));
    call.on("error", reject);
    call.on("end", () => resolve(answers));
    for (let number = 0; number < 100; ++number) {
      call.write(request(number, number === 50 ? { target_executor: "(" } : {}));
    }
    call.end();
  });
}

Promise.all([unary(), stream()]).then(
  ([text, answers]) => {
    console.log(JSON.stringify({ text, answers }));
    process.exit(0);
  },
  (error) => {
    console.error(error);
    process.exit(1);
  });
