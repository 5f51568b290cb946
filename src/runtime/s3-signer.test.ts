// The published examples of AWS: of Signature Version 4 in general (aws-sig-v4-test-suite), and of
// S3 ("Signature Calculations for the Authorization Header: Transferring Payload in a Single
// Chunk", Amazon S3 API reference).

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { queryOf, sha256Hex, sign } from "./s3-signer.ts";

const suite = {
  credentials: {
    accessKeyId: "AKIDEXAMPLE",
    secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
  },
  scope: { region: "us-east-1", service: "service" },
  wallMs: Date.UTC(2015, 7, 30, 12, 36),
};
const store = {
  credentials: {
    accessKeyId: "AKIAIOSFODNN7EXAMPLE",
    secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
  },
  scope: { region: "us-east-1", service: "s3" },
  wallMs: Date.UTC(2013, 4, 24),
};
const empty = sha256Hex("");

interface Vector {
  readonly name: string;
  readonly from: typeof suite;
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly bodyHash: string;
  readonly signedNames: string;
  readonly signature: string;
}

const ofSuite = { from: suite, headers: {}, bodyHash: empty, signedNames: "host;x-amz-date" };
const ofStore = {
  from: store,
  headers: { "x-amz-content-sha256": empty },
  bodyHash: empty,
  signedNames: "host;x-amz-content-sha256;x-amz-date",
};
const bucket = "https://examplebucket.s3.amazonaws.com";
const text = sha256Hex("Welcome to Amazon S3.");

const vectors: readonly Vector[] = [
  {
    ...ofSuite,
    name: "get-vanilla",
    method: "GET",
    url: "https://example.amazonaws.com/",
    signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
  },
  {
    ...ofSuite,
    name: "get-vanilla-query-order-key-case",
    method: "GET",
    url: "https://example.amazonaws.com/?Param2=value2&Param1=value1",
    signature: "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
  },
  {
    ...ofSuite,
    name: "post-vanilla",
    method: "POST",
    url: "https://example.amazonaws.com/",
    signature: "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
  },
  {
    ...ofStore,
    name: "GET of an object's first ten bytes",
    method: "GET",
    url: `${bucket}/test.txt`,
    headers: { range: "bytes=0-9", "x-amz-content-sha256": empty },
    signedNames: "host;range;x-amz-content-sha256;x-amz-date",
    signature: "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
  },
  {
    ...ofStore,
    name: "PUT of an object",
    method: "PUT",
    url: `${bucket}/test%24file.text`,
    headers: {
      date: "Fri, 24 May 2013 00:00:00 GMT",
      "x-amz-content-sha256": text,
      "x-amz-storage-class": "REDUCED_REDUNDANCY",
    },
    bodyHash: text,
    signedNames: "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
    signature: "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
  },
  {
    ...ofStore,
    name: "a query of a name alone",
    method: "GET",
    url: `${bucket}/?lifecycle`,
    signature: "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
  },
  {
    ...ofStore,
    name: "a listing",
    method: "GET",
    url: `${bucket}/?max-keys=2&prefix=J`,
    signature: "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
  },
];

describe("a request to a store", () => {
  for (const { name, from, method, url, headers, bodyHash, signedNames, signature } of vectors) {
    it(`is signed as AWS signs it: ${name}`, () => {
      const { credentials, scope, wallMs } = from;
      const request = { method, url: new URL(url), headers, bodyHash };
      const { authorization } = sign(request, credentials, scope, wallMs);
      const day = new Date(wallMs).toISOString().slice(0, 10).replaceAll("-", "");
      const place = `${day}/${scope.region}/${scope.service}/aws4_request`;
      const expected =
        `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/${place}, ` +
        `SignedHeaders=${signedNames}, Signature=${signature}`;
      assert.equal(authorization, expected);
    });
  }

  it("signs a session's token, and sends no secret", () => {
    const credentials = { ...store.credentials, sessionToken: "token" };
    const url = new URL(`${bucket}/test.txt`);
    const request = { method: "GET", url, headers: {}, bodyHash: empty };
    const headers = sign(request, credentials, store.scope, store.wallMs);
    assert.equal(headers["x-amz-security-token"], "token");
    assert.match(
      headers["authorization"] ?? "",
      /SignedHeaders=host;x-amz-date;x-amz-security-tok/,
    );
    assert.ok(!JSON.stringify(headers).includes(credentials.secretAccessKey));
  });

  it("has its query in bytes that sign the same on both sides", () => {
    const query = queryOf({ prefix: "a b/ü+(1)*", "list-type": "2" });
    assert.equal(query, "list-type=2&prefix=a%20b%2F%C3%BC%2B%281%29%2A");
  });
});
