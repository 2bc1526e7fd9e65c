// Servers outside, asked over HTTP: those that the tenant's configuration allows.

import * as exchange from "#exchange";
import { decode, encode } from "./utf8.js";
import { Failure, millis, verb } from "./words.js";

function answered(response) {
  const status = response.status();
  const text = () => decode(response.body());
  return {
    status,
    ok: status >= 200 && status < 300,
    header: (name) => response.header(name)[0] ?? null,
    bytes: () => response.body(),
    text,
    json() {
      try {
        return JSON.parse(text());
      } catch (why) {
        throw new Failure("other", `the answer is no JSON: ${why.message}`);
      }
    },
  };
}

function send(url, { method = "GET", query = {}, headers = {}, body = null, json, withinSecs = 0, redirects = 0 } = {}) {
  const parameters = Object.entries(query).map((pair) => pair.map(encodeURIComponent).join("="));
  const behind = parameters.length > 0 ? (url.includes("?") ? "&" : "?") + parameters.join("&") : "";
  const written = Object.entries(headers).map(([name, value]) => [name, String(value)]);
  if (json !== undefined) {
    body = JSON.stringify(json);
    written.push(["content-type", "application/json"]);
  }
  const request = {
    method: method.toLowerCase(),
    url: url + behind,
    headers: written,
    body: typeof body === "string" ? encode(body) : (body ?? new Uint8Array()),
    timeout: millis(withinSecs),
    redirects,
  };
  return answered(verb(() => exchange.http.fetch(request)));
}

export const http = {
  send,
  get: (url, options = {}) => send(url, { ...options, method: "GET" }),
  post: (url, json, options = {}) => send(url, { json, ...options, method: "POST" }),
};
