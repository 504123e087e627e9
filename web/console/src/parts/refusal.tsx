// What the hub refused, why, and what can be done about it.

import type { TargetedEvent } from 'preact';
import { useState } from 'preact/hooks';
import { token, type Refusal as Why } from '../hub/api';
import { useStore } from '../lib/store';
import { useText } from '../text';
import { Field } from './field';
import { Icon } from './icon';

/// A JSON Web Token in its compact form; a copied `Bearer` before it is dropped.
export function tokenIn(text: string): string | null {
  const bare = text.trim().replace(/^Bearer\s+/i, '');
  return /^[\w-]+\.[\w-]+\.[\w-]*$/.test(bare) ? bare : null;
}

export function TokenForm({ admin, onDone }: { admin?: boolean; onDone?: () => void }) {
  const { t } = useText();
  const inUse = useStore(token);
  const [text, setText] = useState('');
  const [malformed, setMalformed] = useState(false);
  const use = (e: TargetedEvent<HTMLFormElement>) => {
    e.preventDefault();
    const found = tokenIn(text);
    setMalformed(!found);
    if (!found) return;
    setText('');
    token.set(found);
    onDone?.();
  };
  return (
    <form class="token" onSubmit={use}>
      <p>{t.token.why}{admin && ` ${t.token.whyAdmin}`}</p>
      <Field label={t.token.field} wide>
        <input
          type="password" autocomplete="off" spellcheck={false} required value={text}
          aria-invalid={malformed} onInput={e => setText(e.currentTarget.value)}
        />
      </Field>
      {malformed && <p class="status bad" role="alert">{t.token.malformed}</p>}
      <div class="actions">
        <button class="main">{t.token.use}</button>
        {inUse && (
          <button type="button" onClick={() => { token.set(''); onDone?.(); }}>{t.token.forget}</button>
        )}
      </div>
    </form>
  );
}

/// `admin` says that the view is the operator's.
export function Refusal({ why, admin, onRetry }: { why: Why; admin?: boolean; onRetry?: () => void }) {
  const { t } = useText();
  const inUse = useStore(token);
  const asksToken = why.status === 401 || why.status === 403;
  const title = {
    0: t.unreachable,
    401: inUse ? t.token.notGood : t.token.title,
    403: admin ? t.token.needsAdmin : t.token.notGranted,
  }[why.status] ?? t.refused;
  // The title says already what the hub's own title would.
  const hub = asksToken ? why.detail || why.title : [why.title, why.detail].filter(Boolean).join(': ');
  return (
    <section class={why.status === 401 && !inUse ? 'refusal asks' : 'refusal'} aria-label={title}>
      <h2><Icon name={asksToken ? 'key' : 'close'} />{title}</h2>
      {hub && <p class="word" lang="en">{hub}{why.code && <code>{why.code}</code>}</p>}
      {asksToken && <TokenForm admin={admin ?? false} />}
      {onRetry && !asksToken && <button type="button" onClick={onRetry}>{t.retryNow}</button>}
    </section>
  );
}
