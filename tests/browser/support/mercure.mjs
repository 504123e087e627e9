// A hub for who comes from Mercure, and tokens for it.

import { createHmac } from 'node:crypto';
import { startHub } from './hub.mjs';
import { request } from './http.mjs';

/// The key of the protocol's public conformance suite.
export const KEY = '!ChangeThisMercureHubJWTSecretKey!';
export const HUB_PATH = '/.well-known/mercure';
const PUBLIC_URL = 'https://localhost';

/// Claims of a token that grants everything, as the public suite has them.
export const CLAIMS = {
  '0.x': { mercure: { publish: ['*'], subscribe: ['*'] } },
  '1.0': {
    iss: PUBLIC_URL,
    aud: PUBLIC_URL + HUB_PATH,
    exp: 4102444800,
    authorization_details: [{
      type: 'https://mercure.rocks/authorization-detail',
      actions: ['publish', 'subscribe'],
      topics: [{ match: '*' }],
    }],
  },
};

/// A token with these claims.
export function token(dialect, claims = CLAIMS[dialect]) {
  const part = value => Buffer.from(JSON.stringify(value)).toString('base64url');
  const header = { alg: 'HS256', typ: dialect === '1.0' ? 'at+jwt' : 'JWT' };
  const signed = `${part(header)}.${part(claims)}`;
  return `${signed}.${createHmac('sha256', KEY).update(signed).digest('base64url')}`;
}

/// A hub with the environment of a Mercure hub's image.
export function startMercureHub(t, directives = ['anonymous'], env = {}) {
  return startHub(t, {
    MERCURE_PUBLISHER_JWT_KEY: KEY,
    MERCURE_SUBSCRIBER_JWT_KEY: KEY,
    MERCURE_EXTRA_DIRECTIVES: directives.join('\n'),
    TIDINGS_PUBLIC_URL: PUBLIC_URL,
    ...env,
  });
}

/// Publishes a form, given as pairs; answers the event's id.
export async function publish(hub, fields) {
  const answer = await request('POST', hub.origin + HUB_PATH, {
    headers: {
      Authorization: `Bearer ${token('0.x')}`,
      'Content-Type': 'application/x-www-form-urlencoded',
    },
    body: new URLSearchParams(fields).toString(),
  });
  if (answer.status !== 200) throw new Error(`publishing answered ${answer.status}: ${answer.text}`);
  return answer.text;
}
