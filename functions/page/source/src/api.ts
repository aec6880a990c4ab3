/** Calls to the service that this page came from, and everything that can become of one. */

import { clockSeen } from "./clock";
import { key, visit } from "./session";

export type Failure =
  | { kind: "lost" } // nobody answered, or not in time
  | { kind: "foreign" } // somebody answered who is not this service
  | { kind: "left" } // whoever asked has left: the answer is nobody's
  | { kind: "refused"; status: number; code: string; message: string; field: string; retryAfterS: number };

export class CallFailed extends Error {
  constructor(readonly failure: Failure) {
    super(failure.kind);
  }
}

export interface Call {
  body?: object;
  headers?: Record<string, string>;
  key?: string;
  stop?: AbortSignal;
  timeoutMs?: number;
}

export interface Answer {
  status: number;
  etag: string | null;
  body: unknown;
}

const TIMEOUT_MS = 30_000; // API Gateway gives up after as long

/** One exchange. Throws `CallFailed`, and an `AbortError` once `stop` has been set. */
export async function call(method: string, path: string, wanted: Call = {}): Promise<Answer> {
  const mine = visit;
  const answer = exchanged(method, path, wanted);
  await answer.catch(() => undefined); // an error, as that the key is unknown, is nothing to the next visit either
  if (mine !== visit) throw new CallFailed({ kind: "left" });
  return answer;
}

async function exchanged(method: string, path: string, wanted: Call): Promise<Answer> {
  const reply = await sent(method, path, wanted);
  clockSeen(reply.headers.get("Date"));
  if (reply.status === 304) return { status: 304, etag: reply.headers.get("ETag"), body: null };
  const body = await read(reply, wanted.stop);
  if (!reply.ok) throw new CallFailed(refusal(reply, body));
  if (!isObject(body)) throw new CallFailed({ kind: "foreign" });
  return { status: reply.status, etag: reply.headers.get("ETag"), body };
}

async function sent(method: string, path: string, wanted: Call): Promise<Response> {
  const timeout = AbortSignal.timeout(wanted.timeoutMs ?? TIMEOUT_MS);
  const init: RequestInit = {
    method,
    headers: { "x-access-token": wanted.key ?? key.value, "Content-Type": "application/json", ...wanted.headers },
    cache: "no-store",
    credentials: "omit",
    redirect: "error",
    signal: wanted.stop === undefined ? timeout : AbortSignal.any([wanted.stop, timeout]),
  };
  if (wanted.body !== undefined) init.body = JSON.stringify(wanted.body);
  try {
    return await fetch(path, init);
  } catch (error) {
    throw translated(error, wanted.stop);
  }
}

async function read(reply: Response, stop: AbortSignal | undefined): Promise<unknown> {
  let text: string;
  try {
    text = await reply.text();
  } catch (error) {
    throw translated(error, stop);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return null; // a page of a proxy, or of whoever else answers here
  }
}

function translated(error: unknown, stop: AbortSignal | undefined): unknown {
  if (stop?.aborted === true) return error;
  const isOurs = error instanceof TypeError || error instanceof DOMException; // what fetch throws: no network, or time is up
  return isOurs ? new CallFailed({ kind: "lost" }) : error;
}

function refusal(reply: Response, body: unknown): Failure {
  if (isObject(body) && typeof body["message"] === "string") {
    // API Gateway's own replies, as at its throttle, have a message and no code.
    const isItsOwn = body["code"] === undefined && body["success"] === undefined;
    return {
      kind: "refused",
      status: reply.status,
      code: isItsOwn ? gatewayCode(reply.status) : String(body["code"]),
      message: body["message"],
      field: typeof body["field"] === "string" ? body["field"] : "",
      retryAfterS: Number(reply.headers.get("Retry-After")) || 0,
    };
  }
  return { kind: reply.status >= 500 ? "lost" : "foreign" };
}

function gatewayCode(status: number): string {
  if (status === 429) return "request.throttled";
  return status === 401 || status === 403 ? "auth.unauthorized" : "service.unavailable";
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
