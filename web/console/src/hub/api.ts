// Requests to the hub, and what it answers to those it refuses.

import { ofTab } from '../lib/kept';
import { Store } from '../lib/store';

/// Where the hub is: one level above the console.
export const HUB = new URL('../', location.href);

/// The token for a hub with keys; none for an open one. It ends with the tab.
export const token = new Store(ofTab.get('token') ?? '');
token.follow(value => ofTab.set('token', value || null));

/// Why the hub refused a request, or that it could not be asked.
export interface Refusal {
  /// 0 if there was no answer.
  status: number;
  code: string;
  title: string;
  detail: string;
}

export class Refused extends Error {
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super(refusal.title);
    this.refusal = refusal;
  }
}

export const UNREACHABLE: Refusal = { status: 0, code: 'unreachable', title: '', detail: '' };

/// What any failure of a request tells.
export function refusalOf(error: unknown): Refusal {
  return error instanceof Refused ? error.refusal : UNREACHABLE;
}

export function authorization(): Record<string, string> {
  const value = token.get();
  return value ? { Authorization: `Bearer ${value}` } : {};
}

/// Asks the hub for a path below its own.
///
/// Throws `Refused`, unless it answers with success.
export async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  let reply: Response;
  try {
    reply = await fetch(new URL(path, HUB), {
      cache: 'no-store',
      ...init,
      headers: { ...authorization(), ...init.headers as Record<string, string> },
    });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new Refused(UNREACHABLE);
  }
  if (!reply.ok) throw new Refused(await problemOf(reply));
  return reply;
}

/// Asks for a JSON document.
export async function askJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  const reply = await ask(path, { headers: { Accept: 'application/json' }, signal: signal ?? null });
  return await reply.json() as T;
}

/// The problem document of a reply, or as much as its status tells.
export async function problemOf(reply: Response): Promise<Refusal> {
  const problem = await reply.json().catch(() => ({})) as Partial<Refusal>;
  return {
    status: reply.status,
    code: String(problem.code ?? ''),
    title: String(problem.title ?? reply.statusText),
    detail: String(problem.detail ?? ''),
  };
}
