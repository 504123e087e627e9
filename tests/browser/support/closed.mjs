// A hub with a key, and tokens for it.

import { createHmac } from 'node:crypto';
import { startHub } from './hub.mjs';

const SECRET = 'dNq2m-vX81_kWb04pRtZ7yLcG5hJ3sFa';
const PUBLIC_URL = 'https://hub.example';

/// A token, signed as an application would: for everything native, or what
/// `rights` say; it expires in so many seconds.
export function token(rights = { publish: ['**'], subscribe: ['**'] }, expires = 3600) {
  const part = value => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = {
    aud: PUBLIC_URL,
    exp: Math.floor(Date.now() / 1000) + expires,
    tidings: rights,
  };
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
  return `${signed}.${createHmac('sha256', SECRET).update(signed).digest('base64url')}`;
}

/// A hub where nothing goes without a token; what the test publishes has one.
export async function closedHub(t) {
  const hub = await startHub(t, {
    TIDINGS_AUTH_KEYS: `[{ algorithms = ["HS256"], secret = "${SECRET}" }]`,
    TIDINGS_PUBLIC_URL: PUBLIC_URL,
    TIDINGS_DRAIN_WINDOW: '0s',
  });
  const publish = hub.publish.bind(hub);
  hub.publish = (topic, data) => publish(topic, data, { headers: { Authorization: `Bearer ${token()}` } });
  return hub;
}
